"""`audit-log serve`: the application on uvicorn, in one process that holds the queue, or in several on a broker."""

import gc
import ipaddress
import logging
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from core.errors import InvalidSettingsError
from core.settings import Settings
from local_runner.bootstrap import prepare
from local_runner.http.application import Application
from local_runner.http.connection_limits import ConnectionLimits, max_connections
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.protocol import STOP_SECONDS, HTTPProtocol
from local_runner.http.sockets import bind_first_free, bind_listener
from local_runner.management import ManagementServer
from local_runner.pipeline import Runtime, start_runtime
from local_runner.telemetry import logging_config
from local_runner.telemetry.tracing import tracing

_log = logging.getLogger(__name__)

_GC_THRESHOLD: Final = 50_000  # objects more than before, for a look at the youngest; the default is 700

_FINISH_SECONDS: Final = round(STOP_SECONDS) + 1
"""How long a stop waits for requests at hand: no time at all, but for clients that hang."""


_WORKER_HEALTHCHECK_SECONDS: Final = 20
"""How long one of several processes may be silent before it counts as hung and is replaced.

It is silent while it starts, which on a busy machine takes longer than uvicorn's five seconds: it would be killed again
and again."""


@dataclass(frozen=True)
class Tls:
    """The files of a certificate chain and of its key, both PEM."""

    certfile: Path
    keyfile: Path


@dataclass(frozen=True)
class ManagementAddress:
    """Where workers show their metrics: each takes the first of `ports` that is free."""

    host: str
    ports: range


def serve(  # noqa: PLR0913, PLR0917 - what the command line says
    settings: Settings, host: str, port: int, monitor: ManagementAddress, tls: Tls | None = None, workers: int = 1
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
    scheme = "https" if tls else "http"
    with bind_listener(host, port) as listener:
        if not in_process:  # a pipeline prepares what it needs
            settings = prepare(settings)
        if workers == 1:
            _serve_single_process(settings, monitor, tls, listener, partial(log_startup, settings, host, port, scheme))
        else:
            log_startup(settings, host, port, scheme)
            Multiprocess(uvicorn_config(partial(create_app, monitor, tls), tls, workers=workers), [listener]).run()


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


def log_startup(settings: Settings, host: str, port: int, scheme: str = "http") -> None:
    """Tell whoever started the service where it is."""
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{port}"
    _log.info(
        "serving; Ctrl-C stores what was accepted and stops",
        extra={"url": url, "docs": f"{url}/docs", "data": str(settings.data_dir)},
    )
    if settings.auth == "open":
        _log.warning("AUDIT_LOG_AUTH=open: anyone on this machine gets a token for the asking")


def create_app(monitor_address: ManagementAddress, tls: Tls | None) -> Dispatcher:
    """The application of one of several processes, which uvicorn starts anew with this environment.

    Raises:
        AuditLogError: see `start_runtime`.
    """
    settings = Settings.from_environ()
    logging_config.configure(settings.log_format)
    return _create_app(settings, monitor_address, tls)


def _create_app(settings: Settings, monitor_address: ManagementAddress, tls: Tls | None) -> Dispatcher:
    monitor = ManagementServer()
    limits = ConnectionLimits(max_connections(tls=tls is not None))
    monitor.watch_connections(limits)
    traces = tracing()
    running = start_runtime(settings, monitor.meter, traces)
    _show_metrics(monitor, monitor_address, running)
    # Requests and events hold no cycles: there is little to find for a collector that looks through all that waits.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    waits = (
        settings.queue_scheme != "memory"
        or settings.spool == "disk"
        or (bool(settings.rate_limit_requests) and settings.rate_limit_storage != "memory://")
    )

    def stop() -> None:
        running.close()
        traces.close()

    application = Application(running.services, requests=monitor.requests(), tracing=traces)
    return Dispatcher(application, on_stop=stop, waits=waits, limits=limits)


def _show_metrics(monitor: ManagementServer, address: ManagementAddress, running: Runtime) -> None:
    """Take a port for the metrics. The service goes without sooner than not at all: Prometheus tells of its absence."""
    try:
        listener = bind_first_free(address.host, address.ports)
    except OSError as exc:
        _log.warning(
            "metrics are not shown: their address cannot be used, choose another --metrics-port",
            extra={"host": address.host, "ports": [*address.ports], "reason": exc.strerror},
        )
        return
    _log.info("metrics", extra={"url": "http://{}:{}/metrics".format(*listener.getsockname()[:2])})
    monitor.serve(listener, running.services, restarts=running.restarts)


def _serve_single_process(
    settings: Settings,
    monitor: ManagementAddress,
    tls: Tls | None,
    listener: socket.socket,
    on_start: Callable[[], None],
) -> None:
    stopped_by: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped_by.append(number)

    # uvicorn listens to signals while it serves, and then raises them again. One that comes before that is not lost,
    # and none may end the process while it drains.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server = Server(uvicorn_config(_create_app(settings, monitor, tls), tls))
    on_start()
    server.should_exit = bool(stopped_by)
    server.run([listener])


def uvicorn_config(application: Dispatcher | Callable[[], Dispatcher], tls: Tls | None, *, workers: int = 1) -> Config:
    """What uvicorn is told. Several workers each call `application` for one of their own."""
    return Config(
        application,
        factory=not isinstance(application, Dispatcher),
        interface="asgi3",
        http=HTTPProtocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        workers=workers,
        log_config=None,  # by our handler, in our format
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        headers=[("Server", "audit-log")],
        timeout_graceful_shutdown=_FINISH_SECONDS,
        timeout_worker_healthcheck=_WORKER_HEALTHCHECK_SECONDS,
        ssl_context_factory=partial(_tls_context, tls) if tls else None,
    )


def _tls_context(tls: Tls, _config: Config, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certfile, tls.keyfile)
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
