"""`audit-log serve`: one process that holds the queue, several on a broker, or one that restarts on source changes."""

import ipaddress
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event as Flag
from types import FrameType

from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.statreload import StatReload

import core
import functions
import local_runner
from core.errors import InvalidSettingsError
from core.settings import Settings
from core.stores.database import Database
from core.stores.opening import database_for
from core.wiring import Services
from local_runner.background.ledger_watch import LedgerWatch
from local_runner.background.management import ManagementServer
from local_runner.background.stop_deadline import STOP_SECONDS, end_process_within
from local_runner.bootstrap import open_database, prepare
from local_runner.http.application import Application
from local_runner.http.connection_limits import ConnectionLimits, max_connections
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.quiet_server import QuietServer
from local_runner.http.sockets import bind_first_free, bind_listener
from local_runner.http.uvicorn_server import FINISH_SECONDS, Tls, uvicorn_config
from local_runner.queue.process_memory import tune_memory
from local_runner.runtime import Runtime, start_runtime
from local_runner.telemetry import logging_config
from local_runner.telemetry.tracing import tracing

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ManagementAddress:
    """Address of the management port: each process takes the first of `ports` that is free."""

    host: str
    ports: range


def serve(  # noqa: PLR0913, PLR0917 - the options of the command line
    settings: Settings,
    host: str,
    port: int,
    management: ManagementAddress,
    tls: Tls | None = None,
    workers: int = 1,
    on_start: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in progress and drain the queue.

    With a broker there may be several `workers`: processes that share the port and are replaced when they end.
    `on_start` is called once no other process can answer at the address, and the queue and the store are open.

    Raises:
        AuditLogError: the service cannot start; the message says what to change.
    """
    refuse_open_to_others(settings, host)
    if settings.queue_in_process and workers > 1:
        raise InvalidSettingsError(
            "AUDIT_LOG_QUEUE_URL=memory:// is a queue inside one process: leave --workers out, or name a broker"
        )
    if tls:
        tls.require_usable()

    def started() -> None:
        log_startup(settings, host, port, "https" if tls else "http")
        on_start()

    with bind_listener(host, port) as listener:
        settings = prepare(settings)
        if workers == 1:
            _serve_single_process(settings, management, tls, listener, started)
        else:
            _require_startable(settings)
            started()
            factory = partial(create_app, management, tls=tls is not None)
            Multiprocess(uvicorn_config(factory, tls, workers=workers), [listener]).run()


def serve_with_reload(settings: Settings, host: str, port: int, management: ManagementAddress) -> None:
    """Serve from a child process that uvicorn restarts when a source file changes.

    Raises:
        AuditLogError: the service cannot start; the message says what to change.
    """
    refuse_open_to_others(settings, host)
    with bind_listener(host, port) as listener:
        _require_startable(prepare(settings))
        log_startup(settings, host, port)
        sources = [Path(str(package.__file__)).parent for package in (core, functions, local_runner)]
        config = uvicorn_config(partial(create_app, management), reload_dirs=sources)
        StatReload(config, target=QuietServer(config).run, sockets=[listener]).run()


def create_app(management: ManagementAddress, *, tls: bool = False) -> Dispatcher:
    """Build the application of a child process, from its environment: the factory that uvicorn calls there.

    Raises:
        AuditLogError: see `start_runtime`.
    """
    settings = Settings.from_environ()
    logging_config.configure(settings.log_format)
    return _create_app(prepare(settings), database_for(settings), management, tls=tls)


def refuse_open_to_others(settings: Settings, host: str) -> None:
    """Refuse to give tokens without credentials to other machines.

    Raises:
        InvalidSettingsError: `AUDIT_LOG_AUTH=open` on an address that other machines can reach.
    """
    if settings.auth == "open" and not _is_loopback(host):
        raise InvalidSettingsError(
            f"AUDIT_LOG_AUTH=open gives a token to anyone, so it only works on a loopback address and not on {host}: "
            "set AUDIT_LOG_AUTH=clients and register clients by `audit-log client create`, or serve on 127.0.0.1"
        )


def log_startup(settings: Settings, host: str, port: int, scheme: str = "http") -> None:
    """Log the addresses of the service, and a warning if anyone gets a token."""
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    _log.info(
        "service_started",
        extra={
            "url": url,
            "docs": f"{url}/docs",
            "data": str(settings.data_dir),
            "action": "Ctrl-C stores the accepted events and stops.",
        },
    )
    if settings.auth == "open":
        _log.warning("auth_open", extra={"action": "Anyone on this machine gets a token: for trying out only."})


def _require_startable(settings: Settings) -> None:
    """Check, and migrate, once in the parent what each child process would fail on.

    Raises:
        AuditLogError: a child process could not start.
    """
    with closing(Services(settings, database=open_database(settings))) as services:
        if not settings.queue_in_process:
            services.require_usable()


def _create_app(settings: Settings, database: Database, address: ManagementAddress, *, tls: bool) -> Dispatcher:
    limits = ConnectionLimits(max_connections(tls=tls))
    management = ManagementServer()
    management.watch_connections(limits)
    traces = tracing()
    indices_given = Flag()
    runtime = start_runtime(settings, database, management.meter, traces, indices_given.set)
    _serve_management(management, address, runtime)
    tune_memory()
    waits = not settings.queue_in_process or (
        bool(settings.rate_limit_requests) and settings.rate_limit_storage != "memory://"
    )

    def ledger_size() -> int:
        return runtime.services.feed.size()  # not every store has a feed

    def stop() -> None:
        end_process_within(STOP_SECONDS - FINISH_SECONDS)
        watch.close()
        runtime.close()
        management.close()
        traces.close()

    application = Application(runtime.services, requests=management.requests(), tracing=traces)
    dispatcher = Dispatcher(application, on_stop=stop, waits=waits, group=runtime.group, limits=limits)
    watch = LedgerWatch(ledger_size, dispatcher.held, indices_given)
    return dispatcher


def _serve_management(management: ManagementServer, address: ManagementAddress, runtime: Runtime) -> None:
    """Serve on the first free management port. If none is free, run without: Prometheus reports the target as down."""
    try:
        listener = bind_first_free(address.host, address.ports)
    except OSError as exc:
        _log.warning(
            "management_port_unavailable",
            extra={
                "host": address.host,
                "ports": [*address.ports],
                "reason": exc.strerror,
                "action": "Choose another --metrics-port; the service works without metrics.",
            },
        )
        return
    _log.info("management_started", extra={"url": "http://{}:{}/metrics".format(*listener.getsockname()[:2])})
    management.serve(listener, runtime.services, restarts=runtime.restarts)


def _serve_single_process(
    settings: Settings,
    management: ManagementAddress,
    tls: Tls | None,
    listener: socket.socket,
    on_start: Callable[[], None],
) -> None:
    stopped_by: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped_by.append(number)

    # uvicorn handles signals while it serves, and raises them again afterwards. One that arrives before must not be
    # lost, and none may end the process while it drains.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    application = _create_app(settings, open_database(settings), management, tls=tls is not None)
    server = QuietServer(uvicorn_config(application, tls))
    on_start()
    server.should_exit = bool(stopped_by)
    server.run([listener])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
