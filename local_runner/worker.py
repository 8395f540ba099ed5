"""`audit-log worker`: receives batches from a broker and stores them, on any number of hosts."""

import logging
import signal
from typing import Final

from core.errors import InvalidSettingsError
from core.queues.brokers import broker
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.background.management import ManagementServer
from local_runner.background.stop_deadline import end_process_within
from local_runner.background.tasks import BackgroundTasks
from local_runner.bootstrap import open_database
from local_runner.http.sockets import bind_listener
from local_runner.queue.consumer import ConsumerLimits, ConsumerSupervisor
from local_runner.queue.deliveries import MessageDeliveries
from local_runner.telemetry.tracing import tracing

BATCH_SECONDS: Final = 5.0
"""Time limit of a stop for the current batch. A batch that takes longer is redelivered to another worker."""

POLL_SECONDS: Final = 1.0
"""Wait for the first event of a batch. SQS takes whole seconds, and each receive costs money."""

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)

_log = logging.getLogger(__name__)


def work(settings: Settings, host: str, port: int) -> None:
    """Store events from the broker until SIGTERM or SIGINT, then finish the current batch.

    /health, /ready and /metrics are served on `host` and `port`.

    Raises:
        AuditLogError: the worker cannot start; the message says what to change.
    """
    if settings.queue_in_process:
        raise InvalidSettingsError(
            "AUDIT_LOG_QUEUE_URL: memory:// is a queue inside `audit-log serve`, which stores its events; "
            "a worker needs a broker, such as amqp://HOST or kafka://HOST:9092"
        )
    # Blocked before any thread starts: the main thread alone receives them, in sigwait below.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    listener = bind_listener(host, port)
    management = ManagementServer()
    traces = tracing()
    source = broker(settings).source(settings.queue_url)
    supervisor = ConsumerSupervisor(
        MessageDeliveries(source, traces.consumer(lambda_consumer(lambda: services))),
        ConsumerLimits(poll=POLL_SECONDS),
    )
    database = open_database(settings)
    tasks = BackgroundTasks(settings, database, management.meter)
    services = Services(
        settings,
        database=database,
        meter=management.meter,
        instrumentation=traces,
        consumer_check=supervisor.check,
        ledger_checks=tasks.checks(lambda: services),
    )
    management.serve(listener, services, restarts=lambda: supervisor.restarts)
    supervisor.start()
    tasks.start(services)
    _log.info("worker_started", extra={"port": port, "action": "Ctrl-C finishes the current batch and stops."})
    signal.sigwait(_STOPS)
    end_process_within()
    tasks.leave_feed()
    supervisor.stop(BATCH_SECONDS)
    source.close()  # first, so that the broker gives the remaining messages to another worker
    tasks.close()
    management.close()
    services.close()
    traces.close()
    _log.info("worker_stopped")
