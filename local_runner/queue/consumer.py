"""The consumer: what Lambda's event source mapping does for SQS, in a thread that is watched by another."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event as Flag
from threading import Thread
from typing import Final

from core.errors import AuditLogError, QueueUnavailableError, StoreUnavailableError
from core.ports.queue import EventSource, Message
from functions.consume_events import ConsumeHandler
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.sqs_event import to_sqs_event

_log = logging.getLogger(__name__)


class ConsumerStoppedError(AuditLogError):
    """The consumer is not running, so that what is accepted waits. It is restarted by itself; see the log for why."""


@dataclass(frozen=True)
class ConsumerLimits:
    """How events are taken from the queue; times in seconds."""

    batch_size: int = 1000
    batch_window: float = 0.02
    poll: float = 0.2
    first_retry: float = 1.0
    longest_retry: float = 30.0
    store_retry: float = 0.2
    longest_store_retry: float = 5.0  # shorter than a stop waits, so that a store that is back is noticed in it
    queue_retry: float = 1.0
    restart_delay: float = 0.5


class Consumer:
    """Takes batches from the queue, hands them to the handler, and settles each message by the handler's answer."""

    def __init__(self, queue: EventSource, handler: ConsumeHandler, limits: ConsumerLimits, stop: Flag) -> None:
        self._queue = queue
        self._handler = handler
        self._limits: Final = limits
        self._stop = stop
        self._store_failures = 0
        self._queue_failures = 0
        self.trouble: StoreUnavailableError | None = None
        """Why the store takes no events at the moment."""

    def run(self) -> None:
        """Take batch after batch until told to stop."""
        while not self._stop.is_set():
            try:
                self.take_batch(wait=self._limits.poll)
            except QueueUnavailableError as exc:
                self._wait_for_the_queue(exc)

    def take_batch(self, *, wait: float) -> int:
        """Deal with one batch; how many messages it had."""
        messages = self._queue.receive(self._limits.batch_size, wait=wait, window=self._limits.batch_window)
        if self._queue_failures:
            _log.info("the queue gives events again", extra={"after_failures": self._queue_failures})
            self._queue_failures = 0
        if messages:
            try:
                self._settle(messages)
            except BaseException:
                # Brokers know no timeout: what is in nobody's hands would stay in flight as long as the connection.
                with suppress(QueueUnavailableError):
                    handles = [message.receipt_handle for message in messages]
                    self._queue.retry_after(handles, self._limits.queue_retry, counted=False)
                raise
        return len(messages)

    def _settle(self, messages: Sequence[Message]) -> None:
        context = LambdaContext("consume_events", messages[0].receipt_handle)
        try:
            answer = self._handler(to_sqs_event(messages), context)
        except StoreUnavailableError as exc:
            self._wait_for_the_store(messages, exc)
            return
        except Exception:  # noqa: BLE001 - a bug must not stop the queue: logged, and the batch comes again
            _log.exception("the consumer failed on a batch", extra={"messages": len(messages)})
            failed = {message.message_id for message in messages}
        else:
            failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        if self._store_failures:
            _log.info("the store takes events again", extra={"after_failures": self._store_failures})
            self._store_failures = 0
            self.trouble = None
        self._queue.delete([message.receipt_handle for message in messages if message.message_id not in failed])
        for message in messages:
            if message.message_id in failed:
                delay = self._limits.first_retry * 2 ** min(message.receive_count - 1, 16)  # any count may come
                self._queue.retry_after([message.receipt_handle], min(delay, self._limits.longest_retry))

    def _wait_for_the_store(self, messages: Sequence[Message], error: StoreUnavailableError) -> None:
        delay = min(self._limits.store_retry * 2**self._store_failures, self._limits.longest_store_retry)
        if not self._store_failures:
            reason = repr(error.__cause__) if error.__cause__ else str(error)
            _log.error("the store takes no events; they wait in the queue", extra={"reason": reason})
        self._store_failures = min(self._store_failures + 1, 16)
        self.trouble = error
        self._queue.retry_after([message.receipt_handle for message in messages], delay, counted=False)
        self._stop.wait(delay)

    def _wait_for_the_queue(self, error: QueueUnavailableError) -> None:
        if not self._queue_failures:
            reason = repr(error.__cause__) if error.__cause__ else str(error)
            _log.error("the queue cannot be reached; its events wait there", extra={"reason": reason})
        self._queue_failures += 1
        self._stop.wait(self._limits.queue_retry)


class ConsumerSupervisor:
    """Runs the consumer in a thread of its own and starts another when it ends unasked."""

    def __init__(self, queue: EventSource, handler: ConsumeHandler, limits: ConsumerLimits | None = None) -> None:
        self._limits = limits or ConsumerLimits()
        self._queue = queue
        self._handler = handler
        self._stop = Flag()
        self._consumer = Consumer(queue, handler, self._limits, self._stop)
        self._thread: Thread | None = None
        self._supervisor = Thread(target=self._supervise, name="consumer-supervisor", daemon=True)
        self.restarts = 0
        """How often the consumer died and was started again."""

    def start(self) -> None:
        """Start consuming."""
        self._thread = self._start_consumer()
        self._supervisor.start()

    def stop(self, timeout: float) -> None:
        """Let the batch at hand be finished, for at most `timeout` seconds, and take no other."""
        self._stop.set()
        if self._supervisor.ident:
            self._supervisor.join(timeout)

    @property
    def trouble(self) -> StoreUnavailableError | None:
        """Why the store takes no events at the moment."""
        return self._consumer.trouble

    def check(self) -> dict[str, object]:
        """Implements `Check`: the thread lives and can store; and how often it had to be started again."""
        if self._thread is None or not self._thread.is_alive():
            raise ConsumerStoppedError(
                f"The consumer is being restarted (restart {self.restarts}): see the log for why."
            )
        if self.trouble:
            raise StoreUnavailableError(f"What is accepted waits. {self.trouble}")
        return {"restarts": self.restarts}

    def _supervise(self) -> None:
        while self._thread is not None:
            self._thread.join()
            if self._stop.is_set():
                return
            self.restarts += 1
            _log.error("the consumer died and is restarted", extra={"restarts": self.restarts})
            self._stop.wait(self._limits.restart_delay)
            self._thread = self._start_consumer()

    def _start_consumer(self) -> Thread:
        self._consumer = Consumer(self._queue, self._handler, self._limits, self._stop)
        thread = Thread(target=self._run, args=(self._consumer,), name="consumer", daemon=True)
        thread.start()
        return thread

    @staticmethod
    def _run(consumer: Consumer) -> None:
        try:
            consumer.run()
        except BaseException:  # noqa: BLE001 - the thread ends here anyway; the supervisor starts another
            _log.exception("the consumer fails")
