"""The semantics of an SQS standard queue, common to the queue in memory and the queue in the spool.

A received entry is in flight until it is deleted. If that does not happen within the visibility timeout, it is
received again; after `max_receives` receives it becomes a dead letter.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition
from threading import Event as Flag
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from core.domain.models import Event
from core.errors import QueueFullError, QueueUnavailableError
from core.ports.queue import Message
from local_runner.queue.in_flight import InFlight, QueueEntry
from local_runner.queue.stats import QueueStats
from local_runner.spool.spool import Spool

RECEIVE_BYTES: Final = 16 * 1024 * 1024
"""Size of the bodies from which on a receive takes no more: thousands of the largest events would fill the memory."""

_DEAD_LETTER_RETRY_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)

Entry = TypeVar("Entry", bound=QueueEntry)
Place = TypeVar("Place")


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


class VisibilityQueue(ABC, Generic[Entry, Place]):
    """Implements `EventPublisher`, and what becomes of entries that were received. Thread-safe.

    An entry is one message, or several that are received together. `Place` is what the spool says about those that it
    has taken. The spool has every message, as safely as its mode promises, before `publish` returns.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        limits: QueueLimits,
        spool: Spool,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._dead_letters = dead_letters
        self._limits: Final = limits
        self._replayed: Final = spool
        self._clock = clock
        self._wall_clock = wall_clock
        self._changed = Condition()
        self._receivers = 0
        self._closed = Flag()
        self._pending_writes = 0  # messages that are being written to the spool or read from it
        self._waiting: deque[Entry] = deque()
        self._in_flight: InFlight[Entry] = InFlight()
        self._exhausted: list[Entry] = []  # received too often; in flight until they are dead letters
        self._dead_letters_fail = False
        self._events = 0  # of all entries, waiting and in flight
        self._bytes = 0  # of their bodies that are in memory

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`."""
        self.commit([self.stage(events, traceparent)])

    def stage(self, events: Sequence[Event], traceparent: str | None = None) -> Staged:
        """Reserve room for events, which `commit` then puts into the queue.

        Raises:
            QueueFullError: the queue is at its limit; trying again later helps.
            QueueUnavailableError: the queue is closed.
        """
        staged = self._staged(events, traceparent)
        count = len(staged.bodies)
        with self._changed:
            if self._closed.is_set():
                raise QueueUnavailableError("The service is shutting down: nothing was accepted, send it again.")
            if self._depth() + count > self._limits.max_messages or self._bytes + staged.size > self._limits.max_bytes:
                raise QueueFullError(
                    "The queue is full: nothing was accepted, send it again after Retry-After seconds."
                )
            self._pending_writes += count
            self._bytes += staged.size
        return staged

    def commit(self, staged: Sequence[Staged]) -> None:
        """Put all staged events into the queue, by one write to the spool; or none, and release their room.

        Raises:
            QueueFullError: the spool is at its limit; trying again later helps.
            QueueUnavailableError: the disk did not take the events; trying again later helps.
        """
        now = self._wall_clock()
        bodies = [body for each in staged for body in each.bodies]
        try:
            place = self._write(bodies, now)
        except BaseException:
            with self._changed:
                self._pending_writes -= len(bodies)
                self._bytes -= sum(each.size for each in staged)
            raise
        with self._changed:
            self._pending_writes -= len(bodies)
            self._events += len(bodies)
            self._append(place, now, staged)
            if self._receivers:
                self._changed.notify()

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
            in_flight = sum(entry.count for entry in self._in_flight)
            return QueueStats(self._depth() - in_flight, in_flight, age, self._bytes)

    def close(self) -> None:
        """Refuse further messages. Those in the queue can still be received, delayed retries at once."""
        with self._changed:
            self._closed.set()
            self._delay([entry for entry in self._in_flight if entry.awaiting_retry], 0.0)

    @abstractmethod
    def _staged(self, events: Sequence[Event], traceparent: str | None) -> Staged:
        """Encode events."""

    @abstractmethod
    def _write(self, bodies: Sequence[bytes], now: float) -> Place:
        """Write the bodies to the spool."""

    @abstractmethod
    def _append(self, place: Place, now: float, staged: Sequence[Staged]) -> None:
        """Add entries to `_waiting`. Called with the lock."""

    @abstractmethod
    def _messages(self, entry: Entry) -> list[Message]:
        """Return the messages of an entry.

        Raises:
            QueueUnavailableError: they cannot be read.
        """

    @abstractmethod
    def _delete(self, entries: Sequence[Entry]) -> None:
        """Remove entries that are dead letters."""

    def _depth(self) -> int:
        return self._events + self._pending_writes + self._replayed.replay_remaining

    def _wait_for_entry(self, wait: float) -> bool:
        """Wait until an entry can be received, for `wait` seconds at most; whether there is one."""
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

    def _requeue_expired(self) -> None:
        """Make entries visible again whose time in flight is over, the oldest in front, or take them for exhausted."""
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
            messages = [message for entry in entries for message in self._messages(entry)]
            self._dead_letters.add(messages)
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
        _log.error("events_dead_lettered", extra={"events": len(messages), "action": action})
        self._delete(entries)

    def _delay(self, entries: Sequence[Entry], delay: float) -> None:
        self._in_flight.reschedule(entries, self._clock() + delay, awaiting_retry=True)
        self._changed.notify_all()
