"""Listening sockets: bound before the service starts, so that a taken port is reported at once."""

import errno
import socket
from collections.abc import Iterable
from contextlib import ExitStack

from core.errors import AuditLogError


def bind_first_free(host: str, ports: Iterable[int]) -> socket.socket:
    """Return a socket that listens on the first free port of `ports`.

    Raises:
        OSError: all are taken, or `host` is no address of this machine.
    """
    for port in ports:
        try:
            with ExitStack() as undo:
                listener = undo.enter_context(bind(host, port))
                listener.listen()
                undo.pop_all()
                return listener
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, "Address already in use")


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the address and does not listen.

    Raises:
        OSError: the address is taken, or `host` is no address of this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with ExitStack() as undo:
        listener = undo.enter_context(socket.socket(family, kind, protocol))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        undo.pop_all()
        return listener


class AddressInUseError(AuditLogError):
    """Another process listens on this address. End it, or serve on another port."""


def bind_listener(host: str, port: int) -> socket.socket:
    """Bind the address, so that no other process takes it while the service starts. The socket does not listen yet.

    Raises:
        AddressInUseError: the address is taken or invalid.
    """
    try:
        return bind(host, port)
    except OSError as exc:
        raise AddressInUseError(
            f"Cannot listen on {host} port {port} ({exc.strerror}): end what listens there, or choose another --port."
        ) from None
