"""The runtime of a process: its services with the pipeline or the broker connections behind them.

The only module that decides between a queue in this process and a broker.
"""

import atexit
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import NotSupportedError
from core.ports.queue import QueueStatistics
from core.ports.telemetry import Meter
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.bootstrap import open_database, prepare, record_catalogue
from local_runner.pipeline import Pipeline
from local_runner.queue.accounting import AcceptanceCounter
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from local_runner.queue.group_commit import GroupCommit
from local_runner.queue.storing_process import StoringProcess
from local_runner.spool.recovery import count_pending
from local_runner.spool.spool import SPOOL_NAME
from local_runner.telemetry.tracing import Tracing


@dataclass(frozen=True)
class Runtime:
    """The services of a process and the function that ends them.

    `restarts` returns the number of replaced consumer threads, and `group` collects the events of each turn of an event
    loop, both where the queue is in this process.
    """

    services: Services
    close: Callable[[], None]
    restarts: Callable[[], int] | None = None
    group: GroupCommit | None = None


def start_runtime(
    settings: Settings,
    database: Database,
    meter: Meter | None = None,
    tracing: Tracing | None = None,
    on_indices: Callable[[], object] = lambda: None,
) -> Runtime:
    """Start a pipeline with a storing process, or connect to a broker. `settings` are prepared, the schema is current.

    `on_indices` is called when this process has given stored events their indices in the ledger.

    Raises:
        InvalidSettingsError: the settings do not describe a usable service.
        StoreUnavailableError: the database cannot be read.
    """
    if settings.queue_in_process:
        storing = StoringProcess(settings, meter)
        try:
            pipeline = Pipeline(
                settings, database, meter=meter, tracing=tracing, storing=storing, on_indices=on_indices
            )
        except BaseException:
            storing.close()
            raise
        storing.wait_until_ready()
        return Runtime(pipeline.services, pipeline.close, lambda: pipeline.restarts, pipeline.group)
    recorder = AcceptanceCounter(database.event_counters)
    services = Services(settings, database=database, meter=meter, recorder=recorder, instrumentation=tracing)

    def close() -> None:
        recorder.close()
        services.close()

    services.require_usable()
    record_catalogue(services)
    services.poll()
    return Runtime(services, close)


def offline_services(settings: Settings) -> Services:
    """Build the services for a command that works on the data itself, whether or not the service is running."""
    if not settings.queue_in_process:
        return Services(settings)

    def statistics() -> QueueStatistics:
        if settings.spool == "off":
            raise NotSupportedError("With AUDIT_LOG_SPOOL=off only the running service knows its queue.")
        return QueueStatistics(count_pending(settings.data_dir / SPOOL_NAME))

    services = Services(
        settings,
        dead_letters=DeadLetterFile(settings.data_dir / FILE_NAME, lambda_consumer(lambda: services)),
        queue_statistics=statistics,
    )
    return services


def pipeline_services(settings: Settings) -> Services:
    """Start a pipeline that ends with this process: the entry point of `AUDIT_LOG_QUEUE_URL=memory://`."""
    settings = prepare(settings)
    pipeline = Pipeline(settings, open_database(settings))
    atexit.register(pipeline.close)
    return pipeline.services
