"""The in-memory queue, with the semantics of an SQS standard queue, and a spool that outlives its process.

A message that was received stays in flight until it is deleted; if that does not happen within the visibility timeout
it is received again, and after a set number of receives it becomes a dead letter.
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
from typing import Final, Protocol

from core.domain.models import Event
from core.errors import QueueFullError, QueueUnavailableError
from core.ports.queue import Message
from local_runner.queue.in_flight import InFlight, QueuedMessage
from local_runner.spool.spool import NoSpool, Spool

_BURIAL_RETRY_SECONDS: Final = 1.0
_BATCH_BYTES: Final = 16 * 1024 * 1024  # of a receive: thousands of the largest events would fill the memory

_log = logging.getLogger(__name__)


class DeadLetters(Protocol):
    """Where the queue puts what it gives up."""

    def add(self, messages: Sequence[Message]) -> None:
        """Keep messages durably.

        Raises:
            QueueUnavailableError: none was kept; trying again later helps.
        """


@dataclass(frozen=True)
class QueueLimits:
    """Bounds and times of a queue; times in seconds."""

    max_messages: int = 1_000_000
    max_bytes: int = 512 * 1024 * 1024  # of bodies
    visibility_timeout: float = 30.0
    max_receives: int = 5


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many messages wait and are in flight, the age of the oldest of them, and the bytes of memory they take."""

    waiting: int
    in_flight: int
    oldest_age_seconds: float
    bytes: int


class InMemoryQueue:
    """Implements `EventPublisher` and `EventSource`. Safe to use from several threads.

    What earlier processes left in the spool is read from there as it is received, so that it never fills the memory.
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
        self._pending_writes = 0  # on their way through the spool
        self._waiting: deque[QueuedMessage] = deque()
        self._in_flight = InFlight()
        self._given_up: list[QueuedMessage] = []  # still in flight, until they are in the dead letters
        self._burial_fails = False
        self._bytes = 0

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`."""
        now = self._wall_clock()
        # Copied, since what orjson makes keeps up to 4 KB for as long as it lives.
        bodies = [bytes(memoryview(event.to_json())) for event in events]
        size = sum(map(len, bodies))
        self._reserve(len(bodies), size)
        try:
            numbers = self._spool.append(bodies, now)
        except BaseException:
            with self._changed:
                self._pending_writes -= len(bodies)
                self._bytes -= size
            raise
        with self._changed:
            self._pending_writes -= len(bodies)
            self._waiting.extend(
                map(QueuedMessage, numbers, bodies, itertools.repeat(now), itertools.repeat(traceparent))
            )
            if self._receivers:
                self._changed.notify()

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """See `EventSource.receive`."""
        self._load_spooled(max_messages)
        if not self._wait_for_one(wait):
            return []
        if window and len(self._waiting) < max_messages:
            self._closed.wait(window)  # not woken by each message: that would cost the publishers more than it brings
        with self._changed:
            entries = self._next(max_messages)
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
            self._pause(entries, 0.0 if self._closed.is_set() else delay)

    @property
    def held(self) -> int:
        """How many accepted events are not dealt with, in memory and in the spool."""
        with self._changed:
            return self._held()

    def state(self) -> QueueState:
        """Its facts at this moment."""
        with self._changed:
            oldest = min((entry.sent_at for entry in self._in_flight), default=None)
            if self._waiting and (oldest is None or self._waiting[0].sent_at < oldest):
                oldest = self._waiting[0].sent_at
            age = 0.0 if oldest is None else max(0.0, self._wall_clock() - oldest)
            in_flight = len(self._in_flight)
            return QueueState(self._held() - in_flight, in_flight, age, self._bytes)

    def close(self) -> None:
        """Take no more messages; what is in the queue can still be received, and what waits for a retry at once."""
        with self._changed:
            self._closed.set()
            self._pause([entry for entry in self._in_flight if entry.paused], 0.0)

    def _held(self) -> int:
        return len(self._waiting) + len(self._in_flight) + self._pending_writes + self._spool.replay_remaining

    def _reserve(self, count: int, size: int) -> None:
        with self._changed:
            if self._closed.is_set():
                raise QueueUnavailableError("The service is shutting down: nothing was accepted, send it again.")
            if self._held() + count > self._limits.max_messages or self._bytes + size > self._limits.max_bytes:
                raise QueueFullError(
                    "The queue is full: nothing was accepted, send it again after Retry-After seconds."
                )
            self._pending_writes += count
            self._bytes += size

    def _load_spooled(self, at_most: int) -> None:
        """Take the next events of earlier processes into memory, if there is room; they come before all others."""
        if not self._spool.replay_remaining or len(self._waiting) >= at_most or self._bytes >= self._limits.max_bytes:
            return
        coming = min(at_most, self._spool.replay_remaining)
        with self._changed:
            self._pending_writes += coming  # so that they are counted on their way
        records = self._spool.replay(at_most)
        entries = [QueuedMessage(record.number, record.payload, record.sent_at) for record in records]
        with self._changed:
            self._pending_writes -= coming
            self._waiting.extendleft(reversed(entries))
            self._bytes += sum(len(entry.body) for entry in entries)

    def _move_to_dead_letters(self) -> None:
        """Put what was given up into the dead letters; what they do not take stays here, and is tried again."""
        with self._changed:
            entries, self._given_up = self._given_up, []
        if not entries:
            return
        try:
            self._dead_letters.add([entry.message for entry in entries])
        except QueueUnavailableError as exc:
            if not self._burial_fails:
                _log.error("the dead letters take nothing; it stays in the queue", extra={"reason": str(exc)})
            self._burial_fails = True
            with self._changed:
                self._pause(entries, _BURIAL_RETRY_SECONDS)
            return
        self._burial_fails = False
        _log.error("events became dead letters", extra={"events": len(entries)})
        self.delete([entry.receipt_handle for entry in entries])

    def _wait_for_one(self, wait: float) -> bool:
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

    def _next(self, at_most: int) -> list[QueuedMessage]:
        entries: list[QueuedMessage] = []
        size = 0
        while self._waiting and len(entries) < at_most and size < _BATCH_BYTES:
            entries.append(self._waiting.popleft())
            size += len(entries[-1].body)
        return entries

    def _pause(self, entries: Sequence[QueuedMessage], delay: float) -> None:
        self._in_flight.reschedule(entries, self._clock() + delay, paused=True)
        self._changed.notify_all()

    def _requeue_expired(self) -> None:
        """Return what has been in flight for too long to the front, since it is the oldest, or give it up."""
        due = self._in_flight.due(self._clock())
        again = [entry for entry in due if entry.receive_count < self._limits.max_receives]
        self._given_up += [entry for entry in due if entry.receive_count >= self._limits.max_receives]
        self._in_flight.pop([entry.receipt_handle for entry in again])
        self._waiting.extendleft(reversed(again))
