"""`audit-log serve`: the application on granian, one worker process that holds the queue."""

import ipaddress
import logging
import os
import socket
from functools import partial
from multiprocessing.util import Finalize
from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from core.errors import AuditLogError, InvalidSettingsError
from core.settings import Settings
from local_runner import logs
from local_runner.app import Application
from local_runner.pipeline import Pipeline, prepared

_log = logging.getLogger(__name__)

_THREADS: Final = 1
"""Threads that run handlers. They share one interpreter lock: more of them only take turns (docs/decisions)."""


class AddressInUseError(AuditLogError):
    """Another process listens on this address. End it, or serve on another port."""


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests at hand and drain the queue.

    Raises:
        AuditLogError: the service cannot start; the message says what to change.
    """
    refuse_open_to_others(settings, host)
    require_free(host, port)
    settings = prepared(settings)
    server = Granian(
        "local_runner.server",  # a name for process lists: the loader below brings the application
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=1,
        blocking_threads=_THREADS,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=partial(_application, settings, host, port), wrap_loader=False)


def refuse_open_to_others(settings: Settings, host: str) -> None:
    """See that nobody but this machine gets a token for the asking.

    Raises:
        InvalidSettingsError: `AUDIT_LOG_AUTH=open` on an address that others reach.
    """
    if settings.auth == "open" and not _is_loopback(host):
        raise InvalidSettingsError(
            f"AUDIT_LOG_AUTH=open gives a token to anyone, so it only works on a loopback address and not on {host}: "
            "serve on 127.0.0.1"
        )


def require_free(host: str, port: int) -> None:
    """See that the address can be listened on, while the answer can still be a clear one.

    Raises:
        AddressInUseError: it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        raise AddressInUseError(
            f"Cannot listen on {host} port {port} ({exc.strerror}): end what listens there, or choose another --port."
        ) from None


def greet(settings: Settings, host: str, port: int) -> None:
    """Tell whoever started the service where it is."""
    shown = f"[{host}]" if ":" in host else host
    _log.info(
        "serving; Ctrl-C stores what was accepted and stops",
        extra={"url": f"http://{shown}:{port}", "docs": f"http://{shown}:{port}/docs", "data": str(settings.data_dir)},
    )
    if settings.auth == "open":
        _log.warning("AUDIT_LOG_AUTH=open: anyone on this machine gets a token for the asking")


def _application(settings: Settings, host: str, port: int) -> Application:
    """In granian's worker: start the pipeline here, in the process that will hold the queue."""
    # granian copies the environment into every request's environ, where HTTP_PROXY would pass for a header.
    for name in [name for name in os.environ if name.startswith("HTTP_")]:
        del os.environ[name]
    logs.configure(settings.log_format)
    pipeline = Pipeline(settings)
    # granian ends its worker without atexit; the finalizers of multiprocessing do run, after the last request.
    Finalize(None, pipeline.close, exitpriority=0)
    greet(settings, host, port)
    return Application(pipeline.services)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
