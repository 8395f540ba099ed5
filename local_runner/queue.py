"""The in-memory queue, with the semantics of an SQS standard queue.

A message that was received stays in flight until it is deleted; if that does not happen within the visibility timeout
it is received again, and after a set number of receives it becomes a dead letter.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from sys import getsizeof
from threading import Condition
from threading import Event as Flag
from typing import Final

from core.errors import QueueFullError, QueueUnavailableError
from core.models import Event
from core.ports import Message


@dataclass(frozen=True)
class QueueLimits:
    """Bounds and times of a queue; times in seconds."""

    max_messages: int = 1_000_000
    max_bytes: int = 512 * 1024 * 1024  # of memory for the bodies: beyond ASCII a character takes up to 4 of them
    visibility_timeout: float = 30.0
    max_receives: int = 5


@dataclass(frozen=True, slots=True)
class QueueState:
    """How many messages wait, are in flight and were given up, and the age of the oldest that is not dealt with."""

    waiting: int
    in_flight: int
    dead_letters: int
    oldest_age_seconds: float


@dataclass(slots=True)
class _Entry:
    number: int
    body: str
    size: int
    sent_at: float
    receive_count: int = 0
    receipt_handle: str = ""
    due: float = 0.0
    paused: bool = False  # failed, and waiting for its next receive


class InMemoryQueue:
    """Implements `EventPublisher` and `EventSource`. Safe to use from several threads."""

    def __init__(
        self,
        limits: QueueLimits = QueueLimits(),
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits: Final = limits
        self._clock = clock
        self._wall_clock = wall_clock
        self._changed = Condition()
        self._receivers = 0
        self._closed = Flag()
        self._numbers = itertools.count(1)
        self._waiting: deque[_Entry] = deque()
        self._in_flight: dict[str, _Entry] = {}
        # When to look at which receipts again: one timer for a whole batch, since a batch is received at once.
        self._timers: list[tuple[float, int, tuple[str, ...]]] = []
        self._dead: list[_Entry] = []
        self._bytes = 0

    def publish(self, events: Sequence[Event]) -> None:
        """See `EventPublisher.publish`."""
        now = self._wall_clock()
        bodies = (event.model_dump_json() for event in events)
        entries = [_Entry(next(self._numbers), body, getsizeof(body), now) for body in bodies]
        size = sum(entry.size for entry in entries)
        with self._changed:
            if self._closed.is_set():
                raise QueueUnavailableError("The service is shutting down: nothing was accepted, send it again.")
            held = len(self._waiting) + len(self._in_flight)
            if held + len(entries) > self._limits.max_messages or self._bytes + size > self._limits.max_bytes:
                raise QueueFullError(
                    "The queue is full: nothing was accepted, send it again after Retry-After seconds."
                )
            self._bytes += size
            self._waiting.extend(entries)
            if self._receivers:
                self._changed.notify()

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """See `EventSource.receive`."""
        if not self._wait_for_one(wait):
            return []
        if window and len(self._waiting) < max_messages:
            self._closed.wait(window)  # not woken by each message: that would cost the publishers more than it brings
        with self._changed:
            entries = [self._waiting.popleft() for _ in range(min(max_messages, len(self._waiting)))]
            due = self._clock() + self._limits.visibility_timeout
            for entry in entries:
                entry.receive_count += 1
                entry.receipt_handle = f"{entry.number}.{next(self._numbers)}"
                entry.due = due
                entry.paused = False
                self._in_flight[entry.receipt_handle] = entry
            self._set_timer(due, [entry.receipt_handle for entry in entries])
        return [
            Message(str(entry.number), entry.receipt_handle, entry.body, entry.receive_count, entry.sent_at)
            for entry in entries
        ]

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """See `EventSource.delete`."""
        with self._changed:
            for receipt_handle in receipt_handles:
                if entry := self._in_flight.pop(receipt_handle, None):
                    self._bytes -= entry.size
            self._changed.notify_all()

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """See `EventSource.retry_after`."""
        # SQS counts every receive: there, the retention of dead letters has to outlast an outage.
        with self._changed:
            entries = [entry for handle in receipt_handles if (entry := self._in_flight.get(handle))]
            for entry in entries:
                entry.receive_count -= 0 if counted else 1
            self._pause(entries, 0.0 if self._closed.is_set() else delay)

    def dead_letters(self) -> list[str]:
        """The bodies of the messages that were given up."""
        with self._changed:
            return [entry.body for entry in self._dead]

    def redrive(self) -> int:
        """Put all dead letters back, with their receives forgotten; how many there were."""
        with self._changed:
            redriven, self._dead = self._dead, []
            for entry in redriven:
                entry.receive_count = 0
            self._waiting.extendleft(reversed(redriven))
            self._bytes += sum(entry.size for entry in redriven)
            self._changed.notify_all()
            return len(redriven)

    def state(self) -> QueueState:
        """Counts and the oldest age at this moment."""
        with self._changed:
            oldest = min((entry.sent_at for entry in self._in_flight.values()), default=None)
            if self._waiting and (oldest is None or self._waiting[0].sent_at < oldest):
                oldest = self._waiting[0].sent_at
            age = 0.0 if oldest is None else max(0.0, self._wall_clock() - oldest)
            return QueueState(len(self._waiting), len(self._in_flight), len(self._dead), age)

    def close(self) -> None:
        """Take no more messages; what is in the queue can still be received, and what waits for a retry at once."""
        with self._changed:
            self._closed.set()
            self._pause([entry for entry in self._in_flight.values() if entry.paused], 0.0)

    def _wait_for_one(self, wait: float) -> bool:
        deadline = self._clock() + wait
        with self._changed:
            while True:
                now = self._clock()
                self._bring_back(now)
                if self._waiting:
                    return True
                next_timer = self._timers[0][0] if self._timers else deadline
                if now >= deadline:
                    return False
                self._receivers += 1
                self._changed.wait(max(0.0, min(deadline, next_timer) - now))
                self._receivers -= 1

    def _pause(self, entries: Sequence[_Entry], delay: float) -> None:
        due = self._clock() + delay
        for entry in entries:
            entry.due = due
            entry.paused = True
        self._set_timer(due, [entry.receipt_handle for entry in entries])
        self._changed.notify_all()

    def _set_timer(self, due: float, receipt_handles: Sequence[str]) -> None:
        if receipt_handles:
            heapq.heappush(self._timers, (due, next(self._numbers), tuple(receipt_handles)))

    def _bring_back(self, now: float) -> None:
        """Return what has been in flight for too long to the front, since it is the oldest, or give it up."""
        returned: list[_Entry] = []
        while self._timers and self._timers[0][0] <= now:
            for receipt_handle in heapq.heappop(self._timers)[2]:
                entry = self._in_flight.get(receipt_handle)
                if entry is None or entry.due > now:
                    continue  # deleted since, or given another time, which has its own timer
                del self._in_flight[receipt_handle]
                if entry.receive_count >= self._limits.max_receives:
                    self._dead.append(entry)
                    self._bytes -= entry.size
                else:
                    returned.append(entry)
        self._waiting.extendleft(reversed(returned))
