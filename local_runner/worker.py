"""`audit-log worker`: takes batches from a broker and has them stored, on as many hosts as there is work for."""

import logging
import signal
from typing import Final

from core.errors import InvalidSettingsError
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.bootstrap import run_migrations
from local_runner.http.sockets import bind_listener
from local_runner.management import ManagementServer
from local_runner.queue.consumer import ConsumerLimits, ConsumerSupervisor
from local_runner.telemetry.tracing import tracing

BATCH_SECONDS: Final = 8.0
"""How long a stop waits for the batch at hand. A batch that takes longer comes again to another worker."""

POLL_SECONDS: Final = 1.0
"""How long a broker is asked for a first event. SQS knows whole seconds, and each time it is asked costs."""

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)

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
    listener = bind_listener(host, port)
    run_migrations(settings)
    monitor = ManagementServer()
    traces = tracing()
    services = Services(settings)
    storing = Services(settings, writer=traces.writer(services.writer), meter=monitor.meter)
    supervisor = ConsumerSupervisor(
        services.source, traces.consumer(lambda_consumer(lambda: storing)), ConsumerLimits(poll=POLL_SECONDS)
    )
    checks = {**services.checks, "consumer": supervisor.check}
    watched = Services(
        settings,
        queue_statistics=services.queue_statistics,
        checks=checks,
        event_counters=services.event_counters,
    )
    monitor.serve(listener, watched, restarts=lambda: supervisor.restarts)
    supervisor.start()
    _log.info("storing what comes from the broker; Ctrl-C finishes the batch at hand and stops", extra={"port": port})
    signal.sigwait(_STOPS)
    supervisor.stop(BATCH_SECONDS)
    monitor.close()
    services.close()
    traces.close()
    _log.info("stopped; what was not stored is with the broker")
