"""`audit-log witness serve`: the HTTP interface of a witness, and its metrics."""

import logging
from typing import Final

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from core.errors import GuardUnavailableError
from core.settings import Settings
from core.wiring import Services
from functions.health import Health, health
from functions.http.problems import RETRY_AFTER_SECONDS
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Place, Route, Tag
from local_runner.background.witness.cosigning import TEXT, Witness
from local_runner.http.application import Application
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.quiet_server import QuietServer
from local_runner.http.sockets import bind_listener
from local_runner.http.uvicorn_server import uvicorn_config
from local_runner.telemetry.requests import RequestMetrics

MAX_REQUEST_BYTES: Final = 64 * 1024
"""A checkpoint with a proof of 63 hashes and some signatures takes a tenth."""

_log = logging.getLogger(__name__)


def serve_witness(witness: Witness, host: str, port: int) -> None:
    """Serve `add-checkpoint` until SIGTERM or SIGINT, and /health and /metrics at the same address.

    Raises:
        AddressInUseError: the address is taken or invalid.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    registry = CollectorRegistry()
    routes = _routes(witness, registry)
    services = Services(Settings())
    requests = RequestMetrics(registry, [(route.method, route.path) for route in routes])
    application = Application(services, routes, requests)
    with bind_listener(host, port) as listener:
        _log.info("witness_started", extra={"url": "http://{}:{}".format(*listener.getsockname()[:2])})
        QuietServer(uvicorn_config(Dispatcher(application, on_stop=services.close))).run([listener])


def _routes(witness: Witness, registry: CollectorRegistry) -> list[Route]:
    def add_checkpoint(request: Request, _services: Services) -> Response:
        """Cosign a checkpoint (C2SP tlog-witness). The log's signature authenticates the request."""
        if len(request.body) > MAX_REQUEST_BYTES:
            return Response(400, b"The body is too large.\n", TEXT)
        try:
            verdict = witness.add_checkpoint(request.body)
        except GuardUnavailableError as exc:
            action = "Nothing is cosigned until this is put right; logs try again."
            _log.error("witness_state_unavailable", extra={"reason": str(exc), "action": action})
            retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return Response(503, b"The state of the witness cannot be used.\n", TEXT, retry)
        return Response(verdict.status, verdict.body.encode(), verdict.media_type)

    def metrics(request: Request, _services: Services) -> Response:
        encode, content_type = choose_encoder(request.header("accept") or "")
        return Response(200, encode(registry), content_type)

    return [
        Route(
            "POST", "/add-checkpoint", Tag.LEDGER, Place.READ, add_checkpoint, "Cosign a checkpoint",
            {200: TEXT, 409: TEXT}, (400, 403, 404, 422),
        ),
        Route("GET", "/health", Tag.SERVICE, Place.LOOP, health, "Check liveness", {200: Health}),
        Route("GET", "/metrics", Tag.SERVICE, Place.PAGE, metrics, "Prometheus metrics", {200: TEXT}),
    ]  # fmt: skip
