"""The in-memory queue: the semantics of an SQS standard queue, on a spool that outlives the process.

A received message is in flight until it is deleted. If that does not happen within the visibility timeout, it is
received again; after `max_receives` receives it becomes a dead letter.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Condition
from threading import Event as Flag
from typing import Final, NamedTuple, Protocol

from core.domain.models import Event
from core.errors import QueueFullError, QueueUnavailableError
from core.ports.queue import Message
from local_runner.queue.in_flight import InFlight, QueuedMessage
from local_runner.queue.stats import QueueStats
from local_runner.spool.spool import NoSpool, Spool

_DEAD_LETTER_RETRY_SECONDS: Final = 1.0
_BATCH_BYTES: Final = 16 * 1024 * 1024  # of one receive: thousands of the largest events would fill the memory

_log = logging.getLogger(__name__)


class DeadLetters(Protocol):
    """Keeps the messages that were received too often."""

    def add(self, messages: Sequence[Message]) -> None:
        """Keep all of `messages` durably.

        Raises:
            QueueUnavailableError: none was kept; trying again later helps.
        """


@dataclass(frozen=True)
class QueueLimits:
    """Bounds of the queue; `max_bytes` is the size of all bodies in memory, `visibility_timeout` is in seconds."""

    max_messages: int = 1_000_000
    max_bytes: int = 512 * 1024 * 1024
    visibility_timeout: float = 30.0
    max_receives: int = 5


class Staged(NamedTuple):
    """Events for which the queue has reserved room, as JSON, and the trace that they belong to."""

    bodies: Sequence[bytes]
    size: int
    traceparent: str | None


class InMemoryQueue:
    """Implements `EventPublisher` and `EventSource`. Thread-safe.

    The spool has every message, as safely as its mode promises, before `publish` returns. Messages that earlier
    processes left there are read as they are received, so that they never fill the memory.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        limits: QueueLimits = QueueLimits(),
        *,
        spool: Spool | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._dead_letters = dead_letters
        self._limits: Final = limits
        self._spool: Final = spool or NoSpool()
        self._clock = clock
        self._wall_clock = wall_clock
        self._changed = Condition()
        self._receivers = 0
        self._closed = Flag()
        self._pending_writes = 0  # messages that are being written to the spool or read from it
        self._waiting: deque[QueuedMessage] = deque()
        self._in_flight = InFlight()
        self._exhausted: list[QueuedMessage] = []  # received too often; in flight until they are dead letters
        self._dead_letters_fail = False
        self._bytes = 0

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`."""
        self.commit([self.stage(events, traceparent)])

    def stage(self, events: Sequence[Event], traceparent: str | None = None) -> Staged:
        """Reserve room for events, which `commit` then puts into the queue.

        Raises:
            QueueFullError: the queue is at its limit; trying again later helps.
            QueueUnavailableError: the queue is closed.
        """
        # Copied, since a bytes object of orjson occupies up to 4 KB for as long as it lives.
        bodies = [bytes(memoryview(event.to_json())) for event in events]
        staged = Staged(bodies, sum(map(len, bodies)), traceparent)
        self._reserve(len(bodies), staged.size)
        return staged

    def commit(self, staged: Sequence[Staged]) -> None:
        """Put all staged events into the queue, by one write to the spool; or none, and release their room.

        Raises:
            QueueFullError: the spool is at its limit; trying again later helps.
            QueueUnavailableError: the disk did not take the events; trying again later helps.
        """
        now = self._wall_clock()
        bodies = [body for each in staged for body in each.bodies]
        traceparents = [each.traceparent for each in staged for _ in each.bodies]
        try:
            numbers = self._spool.append(bodies, now)
        except BaseException:
            with self._changed:
                self._pending_writes -= len(bodies)
                self._bytes -= sum(each.size for each in staged)
            raise
        with self._changed:
            self._pending_writes -= len(bodies)
            self._waiting.extend(map(QueuedMessage, numbers, bodies, itertools.repeat(now), traceparents))
            if self._receivers:
                self._changed.notify()

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """See `EventSource.receive`."""
        self._load_spooled(max_messages)
        if not self._wait_for_message(wait):
            return []
        if window and len(self._waiting) < max_messages:
            self._closed.wait(window)  # not woken by each message, which would cost publishers more than it gains
        with self._changed:
            entries = self._pop_waiting(max_messages)
            self._in_flight.add(entries, self._clock() + self._limits.visibility_timeout)
        return [entry.message for entry in entries]

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """See `EventSource.delete`."""
        with self._changed:
            entries = self._in_flight.pop(receipt_handles)
            self._bytes -= sum(len(entry.body) for entry in entries)
            self._changed.notify_all()
        self._spool.acknowledge([entry.number for entry in entries])

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """See `EventSource.retry_after`."""
        # SQS counts every receive: there, the retention of dead letters has to outlast an outage.
        with self._changed:
            entries = self._in_flight.get(receipt_handles)
            for entry in entries:
                entry.receive_count -= 0 if counted else 1
            self._delay(entries, 0.0 if self._closed.is_set() else delay)

    @property
    def depth(self) -> int:
        """The number of accepted events that are neither stored nor dead letters, in memory and in the spool."""
        with self._changed:
            return self._depth()

    def stats(self) -> QueueStats:
        """Return the figures of this moment."""
        with self._changed:
            oldest = min((entry.sent_at for entry in self._in_flight), default=None)
            if self._waiting and (oldest is None or self._waiting[0].sent_at < oldest):
                oldest = self._waiting[0].sent_at
            age = 0.0 if oldest is None else max(0.0, self._wall_clock() - oldest)
            in_flight = len(self._in_flight)
            return QueueStats(self._depth() - in_flight, in_flight, age, self._bytes)

    def close(self) -> None:
        """Refuse further messages. Those in the queue can still be received, delayed retries at once."""
        with self._changed:
            self._closed.set()
            self._delay([entry for entry in self._in_flight if entry.awaiting_retry], 0.0)

    def _depth(self) -> int:
        return len(self._waiting) + len(self._in_flight) + self._pending_writes + self._spool.replay_remaining

    def _reserve(self, count: int, size: int) -> None:
        with self._changed:
            if self._closed.is_set():
                raise QueueUnavailableError("The service is shutting down: nothing was accepted, send it again.")
            if self._depth() + count > self._limits.max_messages or self._bytes + size > self._limits.max_bytes:
                raise QueueFullError(
                    "The queue is full: nothing was accepted, send it again after Retry-After seconds."
                )
            self._pending_writes += count
            self._bytes += size

    def _load_spooled(self, at_most: int) -> None:
        """Read messages of earlier processes into memory, in front of all others, if there is room for them."""
        if not self._spool.replay_remaining or len(self._waiting) >= at_most or self._bytes >= self._limits.max_bytes:
            return
        reading = min(at_most, self._spool.replay_remaining)
        with self._changed:
            self._pending_writes += reading  # so that `depth` counts them meanwhile
        records = self._spool.replay(at_most)
        entries = [QueuedMessage(record.number, record.payload, record.sent_at) for record in records]
        with self._changed:
            self._pending_writes -= reading
            self._waiting.extendleft(reversed(entries))
            self._bytes += sum(len(entry.body) for entry in entries)

    def _wait_for_message(self, wait: float) -> bool:
        """Wait until a message can be received, for `wait` seconds at most; whether there is one."""
        deadline = self._clock() + wait
        while True:
            with self._changed:
                self._requeue_expired()
            self._move_to_dead_letters()
            with self._changed:
                now = self._clock()
                if self._waiting:
                    return True
                if now >= deadline:
                    return False
                next_timer = self._in_flight.next_timer() or deadline
                self._receivers += 1
                self._changed.wait(max(0.0, min(deadline, next_timer) - now))
                self._receivers -= 1

    def _pop_waiting(self, at_most: int) -> list[QueuedMessage]:
        entries: list[QueuedMessage] = []
        size = 0
        while self._waiting and len(entries) < at_most and size < _BATCH_BYTES:
            entries.append(self._waiting.popleft())
            size += len(entries[-1].body)
        return entries

    def _requeue_expired(self) -> None:
        """Make messages visible again whose time in flight is over, the oldest in front, or take them for exhausted."""
        expired = self._in_flight.pop_expired_timers(self._clock())
        again = [entry for entry in expired if entry.receive_count < self._limits.max_receives]
        self._exhausted += [entry for entry in expired if entry.receive_count >= self._limits.max_receives]
        self._in_flight.pop([entry.receipt_handle for entry in again])
        self._waiting.extendleft(reversed(again))

    def _move_to_dead_letters(self) -> None:
        """Dead-letter the exhausted messages. If that fails, they stay in the queue and it is tried again later."""
        with self._changed:
            entries, self._exhausted = self._exhausted, []
        if not entries:
            return
        try:
            self._dead_letters.add([entry.message for entry in entries])
        except QueueUnavailableError as exc:
            if not self._dead_letters_fail:
                action = "Make room on the disk of the data directory; the events stay in the queue meanwhile."
                _log.error("dead_letters_unavailable", extra={"reason": str(exc), "action": action})
            self._dead_letters_fail = True
            with self._changed:
                self._delay(entries, _DEAD_LETTER_RETRY_SECONDS)
            return
        self._dead_letters_fail = False
        action = "Inspect them with `audit-log dead-letters list`; redrive them when the cause is removed."
        _log.error("events_dead_lettered", extra={"events": len(entries), "action": action})
        self.delete([entry.receipt_handle for entry in entries])

    def _delay(self, entries: Sequence[QueuedMessage], delay: float) -> None:
        self._in_flight.reschedule(entries, self._clock() + delay, awaiting_retry=True)
        self._changed.notify_all()
