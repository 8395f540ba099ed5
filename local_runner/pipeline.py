"""What lives in one process: the queue, its spool and consumer, and the store, started and drained together."""

import atexit
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from shutil import disk_usage
from typing import Final

from core.errors import NotSupportedError, QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.ports.telemetry import Meter
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.engine import open_engine
from core.stores.event_counters import SqlEventCounters
from core.stores.migrations.revision import check_revision
from core.stores.sql import SqlEventStore
from core.stores.summaries import SqlEventSummaries
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.bootstrap import make_data_dir, prepare
from local_runner.queue.accounting import AcceptanceCounter
from local_runner.queue.consumer import ConsumerLimits, ConsumerSupervisor
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from local_runner.queue.memory import InMemoryQueue, QueueLimits
from local_runner.spool.disk_spool import open_spool
from local_runner.spool.recovery import count_pending
from local_runner.spool.spool import SPOOL_NAME, check_spool
from local_runner.telemetry.tracing import NoTracing, Tracing

DRAIN_SECONDS: Final = 8.0
"""How long a stop waits for the store. Process managers kill what takes longer than 10 seconds in all."""

_LEAST_FREE_BYTES: Final = 64 * 1024
"""Less on the disk takes no event any more."""

_LIMITS: Final = ConsumerLimits(batch_size=3000)  # under full load as many a second are stored as are accepted

_log = logging.getLogger(__name__)


class Pipeline:
    """A running queue, consumer and store, and the services that use them."""

    def __init__(
        self,
        settings: Settings,
        queue_limits: QueueLimits | None = None,
        consumer_limits: ConsumerLimits | None = None,
        *,
        meter: Meter | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Migrate the store and start consuming.

        Raises:
            InvalidSettingsError: the settings do not describe a store or a data directory that can be used.
            StoreUnavailableError: the store cannot be opened or written.
        """
        tracing = tracing or NoTracing()
        settings = prepare(settings)
        if settings.spool != "off":
            make_data_dir(settings)
        handler = lambda_consumer(lambda: self.services)
        engine = open_engine(settings.store_url)
        self._store = SqlEventStore(engine)
        self._data_dir = settings.data_dir
        self._spool = open_spool(settings.data_dir / SPOOL_NAME, settings.spool)
        self._dead_letters = DeadLetterFile(settings.data_dir / FILE_NAME, handler)
        self._limits = queue_limits or QueueLimits()
        self.queue = InMemoryQueue(self._dead_letters, self._limits, spool=self._spool)
        event_counters = SqlEventCounters(engine)
        self._ledger = AcceptanceCounter(event_counters, self._spool.recovered_slots())
        self._consumer = ConsumerSupervisor(self.queue, tracing.consumer(handler), consumer_limits or _LIMITS)
        self.services = Services(
            settings,
            publisher=tracing.publisher(self.queue),
            reader=self._store,
            summaries=SqlEventSummaries(engine),
            writer=tracing.writer(self._store),
            clients=SqlClientStore(engine),
            ledger=self._ledger,
            queue_statistics=self._queue_statistics,
            checks={
                "queue": lambda: self._queue_statistics().facts(),
                "spool": partial(check_spool, self._spool),
                "dead_letters": self._check_dead_letters,
                "consumer": self._consumer.check,
                "store": self._store.check,
                "migrations": partial(check_revision, engine),
            },
            event_counters=event_counters,
            meter=meter,
        )
        self.services.poll()
        self._consumer.start()

    @property
    def restarts(self) -> int:
        """How often the consumer died and was started again."""
        return self._consumer.restarts

    def close(self, timeout: float = DRAIN_SECONDS) -> None:
        """Take no more events, and store those that were taken, for at most `timeout` seconds."""
        started = time.monotonic()
        self.queue.close()
        while self.queue.depth and time.monotonic() < started + timeout:
            time.sleep(0.01)
        self._consumer.stop(timeout=1.0)
        left = self.queue.depth
        if not left:
            _log.info("stopped; every accepted event is stored or in the dead letters")
        elif self._spool.stats().mode == "off":
            _log.error("stopped before all events were stored", extra={"lost": left, "after_seconds": timeout})
        else:
            _log.warning(
                "stopped before all events were stored; they wait in the spool for the next start",
                extra={"events": left, "after_seconds": timeout},
            )
        self._ledger.close()
        self._spool.close()
        self.services.close()
        self._store.close()

    def _queue_statistics(self) -> QueueStatistics:
        if self._spool.stats().mode != "off" and disk_usage(self._data_dir).free < _LEAST_FREE_BYTES:
            raise QueueUnavailableError("The disk of the queue's spool is full: make room.")
        stats = self.queue.stats()
        return QueueStatistics(
            waiting=stats.waiting,
            in_flight=stats.in_flight,
            oldest_age_seconds=round(stats.oldest_age_seconds, 3),
            capacity=self._limits.max_messages,
            bytes=stats.bytes,
            max_bytes=self._limits.max_bytes,
        )

    def _check_dead_letters(self) -> dict[str, object]:
        return {"count": self._dead_letters.count()}


def offline_services(settings: Settings) -> Services:
    """The parts that a command needs beside the service, which may be running or not."""
    if settings.queue_scheme != "memory":
        return Services(settings)

    def waiting() -> QueueStatistics:
        if settings.spool == "off":
            raise NotSupportedError("With AUDIT_LOG_SPOOL=off only the service itself knows what waits in its memory.")
        return QueueStatistics(count_pending(settings.data_dir / SPOOL_NAME))

    parts = Services(
        settings,
        dead_letters=DeadLetterFile(settings.data_dir / FILE_NAME, lambda_consumer(lambda: parts)),
        queue_statistics=waiting,
    )
    return parts


@dataclass(frozen=True)
class Runtime:
    """What handlers work with, and what ends it. `restarts` counts those of the consumer, where there is one here."""

    services: Services
    close: Callable[[], None]
    restarts: Callable[[], int] | None = None


def start_runtime(settings: Settings, meter: Meter | None = None, tracing: Tracing | None = None) -> Runtime:
    """A pipeline in this process, or connections to a broker.

    Raises:
        AuditLogError: see `Pipeline`.
    """
    if settings.queue_scheme == "memory":
        pipeline = Pipeline(settings, meter=meter, tracing=tracing)
        return Runtime(pipeline.services, pipeline.close, lambda: pipeline.restarts)
    tracing = tracing or NoTracing()
    parts = Services(settings)
    ledger = AcceptanceCounter(parts.event_counters)
    connected = Services(
        settings,
        publisher=tracing.publisher(parts.publisher),
        reader=parts.reader,
        summaries=parts.summaries,
        clients=parts.clients,
        queue_statistics=parts.queue_statistics,
        checks=parts.checks,
        event_counters=parts.event_counters,
        meter=meter,
        ledger=ledger,
    )
    connected.poll()

    def close() -> None:
        ledger.close()
        connected.close()
        parts.close()

    return Runtime(connected, close)


def services(settings: Settings) -> Services:
    """Start a pipeline for the life of this process: the entry point behind `AUDIT_LOG_QUEUE_URL=memory://`."""
    pipeline = Pipeline(settings)
    atexit.register(pipeline.close)
    return pipeline.services
