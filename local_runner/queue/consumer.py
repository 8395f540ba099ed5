"""The consumer: the counterpart of Lambda's event source mapping for SQS, in a thread that another one supervises."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

from core.errors import AuditLogError, QueueUnavailableError, StoreUnavailableError, cause_of
from local_runner.queue.deliveries import Deliveries
from local_runner.queue.storing_process import StoringCrashError

_log = logging.getLogger(__name__)


class ConsumerStoppedError(AuditLogError):
    """The consumer thread is dead, and accepted events wait. Its supervisor restarts it; the log says why it died."""


@dataclass(frozen=True)
class ConsumerLimits:
    """Size of a batch in messages, and times in seconds. Delays of retries double up to the longest."""

    batch_size: int = 1000
    batch_window: float = 0.02
    poll: float = 0.2
    first_retry: float = 1.0
    longest_retry: float = 30.0
    store_retry: float = 0.2
    longest_store_retry: float = 4.0  # shorter than a stop lasts, so that it notices a store that is back
    queue_retry: float = 1.0
    restart_delay: float = 0.5


class Consumer:
    """Receives batches, has each stored, deletes the stored messages and delays the failed ones."""

    def __init__(self, deliveries: Deliveries[Any], limits: ConsumerLimits, stop: Flag) -> None:
        self._deliveries = deliveries
        self._limits: Final = limits
        self._stop = stop
        # Halved by each failure of the store and doubled by each success: a batch that takes longer than the store's
        # time limits would fail for ever.
        self._batch_size = limits.batch_size
        self._store_failures = 0
        self._queue_failures = 0
        self.store_error: StoreUnavailableError | None = None
        """Why the last batch could not be stored; None if it could."""

    def run(self) -> None:
        """Consume batches until `stop` is set."""
        while not self._stop.is_set():
            try:
                self.take_batch(wait=self._limits.poll)
            except QueueUnavailableError as exc:
                self._wait_for_queue(exc)

    def take_batch(self, *, wait: float) -> int:
        """Consume one batch, after at most `wait` seconds for its first message; the number of messages.

        Raises:
            QueueUnavailableError: the queue cannot be reached; the messages will be received again.
        """
        batch = self._deliveries.receive(self._batch_size, wait=wait, window=self._limits.batch_window)
        if self._queue_failures:
            _log.info("queue_available", extra={"after_failures": self._queue_failures})
            self._queue_failures = 0
        if batch:
            try:
                self._consume(batch)
            except BaseException:
                # A broker without a visibility timeout keeps them in flight for as long as the connection lasts.
                with suppress(QueueUnavailableError):
                    self._deliveries.give_back(batch, self._limits.queue_retry)
                raise
        return self._deliveries.count(batch)

    def _consume(self, batch: Sequence[Any]) -> None:
        try:
            failed = self._deliveries.store(batch)
        except StoreUnavailableError as exc:
            self._wait_for_store(batch, exc)
            return
        except Exception:  # noqa: BLE001 - a bug must not stop the queue: logged, and the batch is redelivered
            action = "Report the bug with this stack trace; the messages are retried, then dead-lettered."
            _log.exception("batch_failed", extra={"messages": self._deliveries.count(batch), "action": action})
            self._note_store_works()
            self._deliveries.retry(batch, self._retry_delay)
        else:
            self._note_store_works()
            self._deliveries.complete(batch, failed, self._retry_delay)

    def _note_store_works(self) -> None:
        if self._store_failures:
            _log.info("store_available", extra={"after_failures": self._store_failures})
            self._store_failures = 0
            self.store_error = None
        self._batch_size = min(self._batch_size * 2, self._limits.batch_size)

    def _retry_delay(self, receive_count: int) -> float:
        delay: float = self._limits.first_retry * 2 ** min(receive_count - 1, 16)  # any count may come
        return min(delay, self._limits.longest_retry)

    def _wait_for_store(self, batch: Sequence[Any], error: StoreUnavailableError) -> None:
        """Return the messages to the queue without counting the receive: an outage makes no dead letters.

        Only a message that alone ends the process that stores is counted, and becomes a dead letter in the end.
        """
        delay = min(self._limits.store_retry * 2**self._store_failures, self._limits.longest_store_retry)
        if not self._store_failures:
            action = "Check the database; the events wait in the queue and are stored when it is back."
            _log.error("store_unavailable", extra={"reason": cause_of(error), "action": action})
        self._store_failures = min(self._store_failures + 1, 16)
        self._batch_size = max(self._batch_size // 2, 1)
        self.store_error = error
        if isinstance(error, StoringCrashError):
            self._deliveries.isolate(batch, delay)
        else:
            self._deliveries.give_back(batch, delay)
        self._stop.wait(delay)

    def _wait_for_queue(self, error: QueueUnavailableError) -> None:
        if not self._queue_failures:
            action = "Check the broker and the network to it; its events wait there."
            _log.error("queue_unavailable", extra={"reason": cause_of(error), "action": action})
        self._queue_failures += 1
        self._stop.wait(self._limits.queue_retry)


class ConsumerSupervisor:
    """Runs the consumer in a thread, and starts another one if that dies before `stop`."""

    def __init__(self, deliveries: Deliveries[Any], limits: ConsumerLimits | None = None) -> None:
        self._limits = limits or ConsumerLimits()
        self._deliveries = deliveries
        self._stop = Flag()
        self._consumer = Consumer(deliveries, self._limits, self._stop)
        self._thread: Thread | None = None
        self._supervisor = Thread(target=self._supervise, name="consumer-supervisor", daemon=True)
        self.restarts = 0
        """How often the consumer died and was started again."""

    def start(self) -> None:
        """Start consuming."""
        self._thread = self._start_consumer()
        self._supervisor.start()

    def stop(self, timeout: float) -> None:
        """Receive no further batch, and wait up to `timeout` seconds for the current one."""
        self._stop.set()
        if self._supervisor.ident:
            self._supervisor.join(timeout)

    @property
    def store_error(self) -> StoreUnavailableError | None:
        """Why the last batch could not be stored; None if it could."""
        return self._consumer.store_error

    def check(self) -> dict[str, object]:
        """Implements `Check`: the thread is alive and the store takes events. Returns the number of restarts.

        Raises:
            ConsumerStoppedError: the thread is dead, or not started.
            StoreUnavailableError: the last batch could not be stored.
        """
        if self._thread is None or not self._thread.is_alive():
            raise ConsumerStoppedError(
                f"The consumer is being restarted (restart {self.restarts}): see the log for why."
            )
        if self.store_error:
            raise StoreUnavailableError(f"Accepted events wait in the queue. {self.store_error}")
        return {"restarts": self.restarts}

    def _supervise(self) -> None:
        while self._thread is not None:
            self._thread.join()
            if self._stop.is_set():
                return
            self.restarts += 1
            _log.error("consumer_restarted", extra={"restarts": self.restarts})
            self._stop.wait(self._limits.restart_delay)
            self._thread = self._start_consumer()

    def _start_consumer(self) -> Thread:
        self._consumer = Consumer(self._deliveries, self._limits, self._stop)
        thread = Thread(target=self._run, args=(self._consumer,), name="consumer", daemon=True)
        thread.start()
        return thread

    @staticmethod
    def _run(consumer: Consumer) -> None:
        try:
            consumer.run()
        except BaseException:  # noqa: BLE001 - the thread ends here anyway; the supervisor starts another
            _log.exception("consumer_crashed", extra={"action": "Report the bug with this stack trace."})
