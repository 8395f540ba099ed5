"""The port beside the service: /metrics, /health and /ready of one process, however busy its handlers are."""

import socket
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, make_wsgi_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from core.wiring import Services
from functions.routes import ROUTES
from local_runner.http.application import Application
from local_runner.http.connection_limits import ConnectionLimits
from local_runner.telemetry.connections import ConnectionCollector
from local_runner.telemetry.meter import PrometheusMeter
from local_runner.telemetry.requests import RequestMetrics
from local_runner.telemetry.resources import ResourceCollector
from local_runner.telemetry.state import StateCollector

_ROUTES: Final = [route for route in ROUTES if route.path in {"/health", "/ready"}]


class ManagementServer:
    """What this process counts, which is in `registry`, and the port where that is shown."""

    def __init__(self) -> None:
        # A third of all series, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it so
        self.registry: Final = CollectorRegistry()
        self.meter: Final = PrometheusMeter(self.registry)
        ProcessCollector(registry=self.registry)
        self._server: BaseWSGIServer | None = None

    def requests(self) -> RequestMetrics:
        """Where an application that serves all routes counts its requests."""
        return RequestMetrics(self.registry, [(route.method, route.path) for route in ROUTES])

    def watch(self, services: Services, *, restarts: Callable[[], int] | None) -> None:
        """Show at each scrape how `services` are; `restarts` as in `StateCollector`."""
        self.registry.register(StateCollector(services, restarts=restarts))
        self.registry.register(ResourceCollector(services.settings.data_dir))

    def watch_connections(self, limits: ConnectionLimits) -> None:
        """Show at each scrape how far `limits` are used up."""
        self.registry.register(ConnectionCollector(limits))

    def serve(self, listener: socket.socket, services: Services, *, restarts: Callable[[], int] | None) -> None:
        """Answer on `listener`, which is taken over, by threads of its own, and watch `services`."""
        self.watch(services, restarts=restarts)
        metrics, health = make_wsgi_app(self.registry), Application(services, _ROUTES)

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            # Not werkzeug's DispatcherMiddleware, which takes quadratic time over a path of slashes.
            return (metrics if environ["PATH_INFO"] == "/metrics" else health)(environ, start_response)

        host, port = listener.getsockname()[:2]
        with listener:
            listener.listen()
            self._server = make_server(
                host, port, application, threaded=True, request_handler=_Quiet, fd=listener.fileno()
            )
        Thread(target=self._server.serve_forever, name="monitor", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        if self._server:
            self._server.shutdown()


class _Quiet(WSGIRequestHandler):
    """A probe every few seconds is no news."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""
