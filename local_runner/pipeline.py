"""The pipeline of one process: queue, spool, consumer and database, started and drained together."""

import logging
import time
from collections.abc import Callable
from functools import partial
from shutil import disk_usage
from typing import Any, Final

from core.errors import QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.ports.telemetry import Meter, NoTelemetry
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.background.tasks import BackgroundTasks
from local_runner.bootstrap import record_catalogue
from local_runner.queue.accounting import AcceptanceCounter
from local_runner.queue.consumer import ConsumerLimits, ConsumerSupervisor
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from local_runner.queue.deliveries import Deliveries, MessageDeliveries, RunDeliveries
from local_runner.queue.group_commit import GroupCommit
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.spooled import SpoolQueue
from local_runner.queue.storing_process import StoringProcess
from local_runner.queue.visibility import QueueLimits
from local_runner.spool.disk_spool import DiskSpool, open_spool
from local_runner.spool.spool import SPOOL_NAME, check_spool
from local_runner.telemetry.tracing import NoTracing, Tracing

DRAIN_SECONDS: Final = 5.0
"""Time limit for draining the queue on a stop, after up to three seconds for requests in progress."""

_MIN_FREE_BYTES: Final = 64 * 1024
"""Free disk space below which no event is accepted."""

_LIMITS: Final = ConsumerLimits(batch_size=3000, batch_window=0.05)
"""At full load this stores as many events a second as are accepted. The window has hundreds of events share what a
batch costs by itself, a commit and about 2 ms of the processor; before its end they are not visible."""

_log = logging.getLogger(__name__)


class Pipeline:
    """A running in-memory queue with its consumer, and the services that use them."""

    def __init__(  # noqa: PLR0913 - one argument per part that a test or a process chooses
        self,
        settings: Settings,
        database: Database,
        queue_limits: QueueLimits | None = None,
        consumer_limits: ConsumerLimits | None = None,
        *,
        meter: Meter | None = None,
        tracing: Tracing | None = None,
        storing: StoringProcess | None = None,
        on_indices: Callable[[], object] = lambda: None,
    ) -> None:
        """Start consuming. `settings` are prepared and the schema of `database` is current, see `bootstrap`.

        With `storing` a child process stores the events; `close` ends it. Without, this process does.
        `on_indices` is called when stored events got their indices in the ledger.

        Raises:
            InvalidSettingsError: the settings describe keys or a data directory that cannot be used.
            StoreUnavailableError: the database cannot be read.
        """
        tracing = tracing or NoTracing()
        handler = lambda_consumer(lambda: self.services)
        self._data_dir = settings.data_dir
        self._database = database
        self._spool = open_spool(settings.data_dir / SPOOL_NAME, settings.spool)
        self._dead_letters = DeadLetterFile(settings.data_dir / FILE_NAME, handler)
        self._limits = queue_limits or QueueLimits()
        self.queue: InMemoryQueue | SpoolQueue
        deliveries: Deliveries[Any]
        if storing and isinstance(self._spool, DiskSpool):
            self.queue = SpoolQueue(self._dead_letters, self._limits, self._spool)
            deliveries = RunDeliveries(self.queue, storing)
        else:
            self.queue = InMemoryQueue(self._dead_letters, self._limits, spool=self._spool)
            deliveries = MessageDeliveries(self.queue, storing or tracing.consumer(handler))
        self.group = GroupCommit(self.queue, in_thread=settings.spool == "disk")
        self._recorder = AcceptanceCounter(database.event_counters, self._spool.recovered_slots())
        self._tasks = BackgroundTasks(settings, database, meter or NoTelemetry(), on_indices, storing)
        self._storing = storing
        self._consumer = ConsumerSupervisor(deliveries, consumer_limits or _LIMITS)
        self.services = Services(
            settings,
            database=database,
            meter=meter,
            recorder=self._recorder,
            instrumentation=tracing,
            publisher=self.group,
            commit_group=self.group,
            queue_statistics=self._queue_statistics,
            checks={
                "queue": lambda: self._queue_statistics().facts(),
                "spool": partial(check_spool, self._spool),
                "dead_letters": self._check_dead_letters,
                "consumer": self._check_consumer,
                "store": self._check_store,
                **({"ledger": database.ledger.check} if database.keeps_ledger else {}),
                "migrations": database.check_revision,
                **self._tasks.checks(lambda: self.services),
            },
        )
        self.services.require_usable()
        record_catalogue(self.services)
        self.services.poll()
        self._consumer.start()
        self._tasks.start(self.services)

    @property
    def restarts(self) -> int:
        """Number of consumer threads and storing processes that ended and were replaced."""
        return self._consumer.restarts + (self._storing.restarts if self._storing else 0)

    def close(self, timeout: float = DRAIN_SECONDS) -> None:
        """Reject new events, and store the accepted ones for at most `timeout` seconds."""
        started = time.monotonic()
        self._tasks.leave_feed()
        self.group.close()
        self.queue.close()
        while self.queue.depth and time.monotonic() < started + timeout:
            time.sleep(0.01)
        self._consumer.stop(timeout=1.0)
        if self._storing:
            self._storing.close()
        self._tasks.close()
        self._log_stop(self.queue.depth, timeout)
        self._recorder.close()
        self._spool.close()
        self.services.close()

    def _log_stop(self, left: int, timeout: float) -> None:
        if not left:
            _log.info("queue_drained")
        elif self._spool.stats().mode == "off":
            action = "To keep accepted events across a stop, set AUDIT_LOG_SPOOL=process."
            _log.error("accepted_events_lost", extra={"lost": left, "after_seconds": timeout, "action": action})
        else:
            action = "Start the service again: it stores them from the spool."
            _log.warning("queue_not_drained", extra={"events": left, "after_seconds": timeout, "action": action})

    def _queue_statistics(self) -> QueueStatistics:
        if self._spool.stats().mode != "off" and self._free_bytes() < _MIN_FREE_BYTES:
            raise QueueUnavailableError(f"The disk of the data directory {self._data_dir} is full: make room.")
        stats = self.queue.stats()
        in_memory = isinstance(self.queue, InMemoryQueue)
        return QueueStatistics(
            waiting=stats.waiting,
            in_flight=stats.in_flight,
            oldest_age_seconds=round(stats.oldest_age_seconds, 3),
            capacity=self._limits.max_messages,
            bytes=stats.bytes if in_memory else None,
            max_bytes=self._limits.max_bytes if in_memory else None,
        )

    def _free_bytes(self) -> int:
        try:
            return disk_usage(self._data_dir / SPOOL_NAME).free  # fails if the directory above may not be searched
        except OSError as exc:
            raise QueueUnavailableError(
                f"The data directory {self._data_dir} cannot be used ({exc.strerror}): put it back, with its "
                "permissions, and restart the service."
            ) from exc

    def _check_store(self) -> dict[str, object]:
        """Implements `Check`: the store can be read, and took the last batch. A read does not notice a full disk."""
        if error := self._consumer.store_error:
            raise error
        return self._database.events.check()

    def _check_dead_letters(self) -> dict[str, object]:
        return {"count": self._dead_letters.count()}

    def _check_consumer(self) -> dict[str, object]:
        process = self._storing.check() if self._storing else {}
        return {**self._consumer.check(), **process}
