"""The management port of a process: /metrics, /health and /ready, answered however busy the handlers are."""

import socket
from collections.abc import Callable
from threading import Thread
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from core.wiring import Services
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Place, Route, Tag
from functions.routes import ROUTES
from local_runner.http.application import Application
from local_runner.http.connection_limits import ConnectionLimits
from local_runner.http.connection_metrics import ConnectionCollector
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.quiet_server import QuietServer
from local_runner.http.uvicorn_server import uvicorn_config
from local_runner.telemetry.meter import PrometheusMeter
from local_runner.telemetry.requests import RequestMetrics
from local_runner.telemetry.resources import BuildCollector, ResourceCollector
from local_runner.telemetry.state import StateCollector

_HEALTH: Final = [route for route in ROUTES if route.path in {"/health", "/ready"}]
_STOP_SECONDS: Final = 5.0
_CONNECTIONS: Final = 32


class ManagementServer:
    """The metrics of this process in `registry`, and the server that shows them."""

    def __init__(self) -> None:
        # Series with the time of creation: a third of all, and no query needs them.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
        self.registry: Final = CollectorRegistry()
        self.meter: Final = PrometheusMeter(self.registry)
        ProcessCollector(registry=self.registry)
        self._server: QuietServer | None = None
        self._thread: Thread | None = None

    def requests(self) -> RequestMetrics:
        """Create the request metrics of an application that serves all routes."""
        return RequestMetrics(self.registry, [(route.method, route.path) for route in ROUTES])

    def watch(self, services: Services, *, restarts: Callable[[], int] | None) -> None:
        """Collect the state of `services` at each scrape; `restarts` as in `StateCollector`."""
        self.registry.register(StateCollector(services, restarts=restarts))
        self.registry.register(ResourceCollector(services.settings.data_dir))
        self.registry.register(BuildCollector())

    def watch_connections(self, limits: ConnectionLimits) -> None:
        """Collect the use of `limits` at each scrape."""
        self.registry.register(ConnectionCollector(limits))

    def serve(self, listener: socket.socket, services: Services, *, restarts: Callable[[], int] | None) -> None:
        """Serve on `listener` from a thread with an event loop for these requests only, and watch `services`.

        `close` closes `listener`.
        """
        self.watch(services, restarts=restarts)
        metrics = Route(
            "GET", "/metrics", Tag.SERVICE, Place.CHECK, self._metrics, "Prometheus metrics", {200: "text/plain"}
        )
        dispatcher = Dispatcher(
            Application(services, [*_HEALTH, metrics]), on_stop=listener.close, limits=ConnectionLimits(_CONNECTIONS)
        )
        self._server = QuietServer(uvicorn_config(dispatcher))
        self._thread = Thread(target=self._server.run, args=([listener],), name="management", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        if self._server and self._thread:
            self._server.stop()
            self._thread.join(_STOP_SECONDS)

    def _metrics(self, request: Request, _services: Services) -> Response:
        encode, content_type = choose_encoder(request.header("accept") or "")
        return Response(200, encode(self.registry), content_type)
