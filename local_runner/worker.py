"""`audit-log worker`: takes batches from a broker and has them stored, on as many hosts as there is work for."""

import logging
import signal
import socket
from threading import Thread
from typing import Final

from prometheus_client import make_wsgi_app
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from core.errors import InvalidSettingsError
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import lambda_consumer
from functions.routes import ROUTES
from local_runner.app import Application
from local_runner.consumer import ConsumerLimits, ConsumerSupervisor
from local_runner.metrics import PrometheusMeter
from local_runner.preparation import migrated
from local_runner.server import listening

BATCH_SECONDS: Final = 8.0
"""How long a stop waits for the batch at hand. A batch that takes longer comes again to another worker."""

POLL_SECONDS: Final = 1.0
"""How long a broker is asked for a first event. SQS knows whole seconds, and each time it is asked costs."""

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)
_ROUTES: Final = [route for route in ROUTES if route.path in {"/health", "/ready"}]

_log = logging.getLogger(__name__)


def work(settings: Settings, host: str, port: int) -> None:
    """Store what comes from the broker until SIGTERM or SIGINT, then finish the batch at hand.

    /health, /ready and /metrics are served on `host` and `port`.

    Raises:
        AuditLogError: the worker cannot start; the message says what to change.
    """
    if settings.queue_scheme == "memory":
        raise InvalidSettingsError(
            "AUDIT_LOG_QUEUE_URL: memory:// is inside `audit-log serve`, which stores by itself; "
            "a worker needs a broker, such as amqp://HOST or kafka://HOST:9092"
        )
    # Blocked before any thread starts, so that each stop waits for the main thread, which asks for it below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    listener = listening(host, port)
    migrated(settings)
    meter = PrometheusMeter()
    services = Services(settings, meter=meter)
    meter.watch(services)
    supervisor = ConsumerSupervisor(
        services.source, lambda_consumer(lambda: services), ConsumerLimits(poll=POLL_SECONDS)
    )
    server = _server(listener, services, supervisor, meter)
    supervisor.start()
    Thread(target=server.serve_forever, name="health", daemon=True).start()
    _log.info("storing what comes from the broker; Ctrl-C finishes the batch at hand and stops", extra={"port": port})
    signal.sigwait(_STOPS)
    supervisor.stop(BATCH_SECONDS)
    server.shutdown()
    services.close()
    _log.info("stopped; what was not stored is with the broker")


def _server(
    listener: socket.socket, services: Services, supervisor: ConsumerSupervisor, meter: PrometheusMeter
) -> BaseWSGIServer:
    checks = {**services.checks, "consumer": supervisor.check}
    health = Application(Services(services.settings, checks=checks), _ROUTES)
    application = DispatcherMiddleware(health, {"/metrics": make_wsgi_app(meter.registry)})
    host, port = listener.getsockname()[:2]
    listener.listen()
    return make_server(host, port, application, threaded=True, request_handler=_Quiet, fd=listener.detach())


class _Quiet(WSGIRequestHandler):
    """A probe every few seconds is no news."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""
