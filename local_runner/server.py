"""`audit-log serve`: the application on granian, in one process that holds the queue, or in several on a broker."""

import ipaddress
import logging
import multiprocessing
import os
import signal
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.common import AbstractServer

from core.errors import AuditLogError, InvalidSettingsError
from core.settings import Settings
from local_runner import logs
from local_runner.app import Application
from local_runner.front import BODY_SECONDS, Front
from local_runner.monitor import Monitor, bound
from local_runner.pipeline import DRAIN_SECONDS, Started, started
from local_runner.preparation import prepared

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

_log = logging.getLogger(__name__)

_HEADER_SECONDS: Final = 10
_HEADER_BYTES: Final = 64 * 1024

_STOP_SECONDS: Final = round(BODY_SECONDS + DRAIN_SECONDS) + 2
"""After so long a stop ends by force. It rarely takes a second; clients that hang, and a store that does, add to it."""

_GRANIANS_LOG: Final = {"loggers": {"_granian": {"propagate": True}}}  # by our handler, in our format


class AddressInUseError(AuditLogError):
    """Another process listens on this address. End it, or serve on another port."""


@dataclass(frozen=True)
class Tls:
    """The files of a certificate chain and of its key, both PEM."""

    certfile: Path
    keyfile: Path


@dataclass(frozen=True)
class MonitorAddress:
    """Where workers show their metrics: each takes the first of `ports` that is free."""

    host: str
    ports: range


def serve(  # noqa: PLR0913, PLR0917 - what the command line says
    settings: Settings, host: str, port: int, monitor: MonitorAddress, tls: Tls | None = None, workers: int = 1
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests at hand and drain the queue.

    With a broker there may be several `workers`, processes that share the port; one that dies is started again.

    Raises:
        AuditLogError: the service cannot start; the message says what to change.
    """
    refuse_open_to_others(settings, host)
    in_process = settings.queue_scheme == "memory"
    if in_process and workers > 1:
        raise InvalidSettingsError(
            "AUDIT_LOG_QUEUE_URL=memory:// is a queue inside one process: leave --workers out, or name a broker"
        )
    if tls:
        _require_usable(tls)
    address = require_free(host, port)
    settings = prepared(settings)
    server = Granian(
        "local_runner.server",  # a name for process lists: the loader below brings the application
        address=address,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_SECONDS * 1000, max_buffer_size=_HEADER_BYTES),
        websockets=False,
        workers=workers,
        respawn_failed_workers=not in_process,
        ssl_cert=tls.certfile if tls else None,
        ssl_key=tls.keyfile if tls else None,
        ssl_protocol_min=SSLProtocols.tls12,
        log_level=LogLevels.warning,
        log_dictconfig=_GRANIANS_LOG,
        workers_kill_timeout=_STOP_SECONDS,
    )
    asked_to_stop = multiprocessing.Value("b", False, lock=False)
    greeted = multiprocessing.Value("b", False)
    server.on_startup(partial(_note_stops, server, asked_to_stop))  # called when granian has set its own handlers
    server.serve(
        target_loader=partial(
            _front, settings, host, port, "https" if tls else "http", monitor, asked_to_stop, greeted
        ),
        wrap_loader=False,
    )


def refuse_open_to_others(settings: Settings, host: str) -> None:
    """See that nobody but this machine gets a token for the asking.

    Raises:
        InvalidSettingsError: `AUDIT_LOG_AUTH=open` on an address that others reach.
    """
    if settings.auth == "open" and not _is_loopback(host):
        raise InvalidSettingsError(
            f"AUDIT_LOG_AUTH=open gives a token to anyone, so it only works on a loopback address and not on {host}: "
            "set AUDIT_LOG_AUTH=clients and register clients by `audit-log client create`, or serve on 127.0.0.1"
        )


def _require_usable(tls: Tls) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certfile, tls.keyfile, password=lambda: b"")
    except (OSError, ValueError) as exc:
        reason = "they are no pair of certificate and unencrypted key in PEM form"
        if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):
            reason = exc.strerror or reason
        raise InvalidSettingsError(f"--certfile and --keyfile cannot be used: {reason}") from None


def require_free(host: str, port: int) -> str:
    """The IP address of `host`, once it is sure to be one to listen on, while the answer can still be a clear one.

    Raises:
        AddressInUseError: it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return str(address[0])
    except OSError as exc:
        raise address_in_use(host, port, exc) from None


def address_in_use(host: str, port: int, error: OSError) -> AddressInUseError:
    """What to raise when an address cannot be listened on."""
    return AddressInUseError(
        f"Cannot listen on {host} port {port} ({error.strerror}): end what listens there, or choose another --port."
    )


def greet(settings: Settings, host: str, port: int, scheme: str = "http") -> None:
    """Tell whoever started the service where it is."""
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{port}"
    _log.info(
        "serving; Ctrl-C stores what was accepted and stops",
        extra={"url": url, "docs": f"{url}/docs", "data": str(settings.data_dir)},
    )
    if settings.auth == "open":
        _log.warning("AUDIT_LOG_AUTH=open: anyone on this machine gets a token for the asking")


def _front(  # noqa: PLR0913, PLR0917 - what the parent knows and its workers need
    settings: Settings,
    host: str,
    port: int,
    scheme: str,
    monitor_address: MonitorAddress,
    asked_to_stop: "Synchronized[bool]",
    greeted: "Synchronized[bool]",
) -> Any:
    """In granian's worker: start the pipeline here, in the process that will hold the queue. Returns the `Front`.

    The first of several workers greets for all.
    """
    logs.configure(settings.log_format)
    monitor = Monitor()
    running = started(settings, monitor.meter)
    with greeted.get_lock():
        if not greeted.value:
            greet(settings, host, port, scheme)
            greeted.value = True
    _show_metrics(monitor, monitor_address, running)
    waits = (
        settings.queue_scheme != "memory"
        or settings.spool == "disk"
        or settings.trusted_jwks_url is not None
        or (bool(settings.rate_limit_requests) and settings.rate_limit_storage != "memory://")
    )
    return Front(
        Application(running.services, requests=monitor.requests()),
        on_start=partial(_stop_if_asked, asked_to_stop),
        on_stop=running.close,
        waits=waits,
    )


def _show_metrics(monitor: Monitor, address: MonitorAddress, running: Started) -> None:
    """Take a port for the metrics. The service goes without sooner than not at all: Prometheus tells of its absence."""
    try:
        listener = bound(address.host, address.ports)
    except OSError as exc:
        _log.warning(
            "metrics are not shown: their address cannot be used, choose another --metrics-port",
            extra={"host": address.host, "ports": [*address.ports], "reason": exc.strerror},
        )
        return
    _log.info("metrics", extra={"url": "http://{}:{}/metrics".format(*listener.getsockname()[:2])})
    monitor.serve(listener, running.services, restarts=running.restarts)


def _stop_if_asked(asked_to_stop: "Synchronized[bool]") -> None:
    """In the worker, once it hears signals: one that came before was lost, and so the worker sends it to itself."""
    if asked_to_stop.value:
        os.kill(os.getpid(), signal.SIGTERM)


def _note_stops(server: AbstractServer[Any], asked_to_stop: "Synchronized[bool]") -> None:
    """Have a stop noted where the worker sees it, also by a worker that is still starting with these handlers."""

    def stop(number: int, frame: FrameType | None) -> None:
        asked_to_stop.value = True
        server.signal_handler_interrupt(number, frame)  # type: ignore[no-untyped-call]  # granian leaves it so

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
