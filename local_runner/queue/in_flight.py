"""Entries of the queue that were received and not deleted, and the time at which each becomes visible again."""

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from core.ports.queue import Message


class QueueEntry(Protocol):
    """What the queue holds: one message, or `count` messages with consecutive numbers from `number` on.

    `sent_at` is the time at which the first was accepted, in Unix seconds; `visible_at` is in seconds of the queue's
    clock. `awaiting_retry` is set while the entry is in flight only because its retry is delayed.
    """

    receive_count: int
    receipt_handle: str
    sent_at: float
    visible_at: float
    awaiting_retry: bool

    @property
    def number(self) -> int:
        """The sequence number in the spool."""

    @property
    def count(self) -> int:
        """The number of messages."""


Entry = TypeVar("Entry", bound=QueueEntry)


@dataclass(slots=True)
class QueuedMessage:
    """Implements `QueueEntry` for a message in memory; `body` is UTF-8, the smallest form."""

    number: int
    body: bytes
    sent_at: float
    traceparent: str | None = None  # not in the spool: a replayed message has none
    receive_count: int = 0
    receipt_handle: str = ""
    visible_at: float = 0.0
    awaiting_retry: bool = False

    @property
    def count(self) -> int:
        """See `QueueEntry.count`."""
        return 1

    @property
    def message(self) -> Message:
        """The message as a consumer receives it."""
        return Message(
            str(self.number),
            self.receipt_handle,
            self.body.decode(),
            self.receive_count,
            self.sent_at,
            self.traceparent,
        )


class InFlight(Generic[Entry]):
    """Maps the receipt handle of each entry's last receive to it. Not thread-safe: the queue's lock guards it."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._counter = itertools.count(1)
        # One timer for a whole batch, since a batch is received at once.
        self._timers: list[tuple[float, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def add(self, entries: Sequence[Entry], visible_at: float) -> None:
        """Add entries that are being received, each under a new receipt handle."""
        for entry in entries:
            entry.receive_count += 1
            entry.receipt_handle = f"{entry.number}.{next(self._counter)}"
            self._entries[entry.receipt_handle] = entry
        self.reschedule(entries, visible_at, awaiting_retry=False)

    def get(self, receipt_handles: Iterable[str]) -> list[Entry]:
        """Return the entries of these handles; handles that are not valid are ignored."""
        return [entry for handle in receipt_handles if (entry := self._entries.get(handle))]

    def pop(self, receipt_handles: Iterable[str]) -> list[Entry]:
        """Remove and return the entries of these handles; handles that are not valid are ignored."""
        return [entry for handle in receipt_handles if (entry := self._entries.pop(handle, None))]

    def reschedule(self, entries: Sequence[Entry], visible_at: float, *, awaiting_retry: bool) -> None:
        """Make entries visible at another time."""
        for entry in entries:
            entry.visible_at = visible_at
            entry.awaiting_retry = awaiting_retry
        if entries:
            handles = tuple([entry.receipt_handle for entry in entries])
            heapq.heappush(self._timers, (visible_at, next(self._counter), handles))

    def pop_expired_timers(self, now: float) -> list[Entry]:
        """Return the entries that are visible by now, once. They stay in flight until they are popped."""
        expired: dict[str, Entry] = {}  # by handle: two timers of an entry may expire at a time
        while self._timers and self._timers[0][0] <= now:
            # Of the others some were popped, and some rescheduled, for which there is another timer.
            entries = self.get(heapq.heappop(self._timers)[2])
            expired |= {entry.receipt_handle: entry for entry in entries if entry.visible_at <= now}
        return list(expired.values())

    def next_timer(self) -> float | None:
        """Return the time by which to call `pop_expired_timers`, or None without entries in flight."""
        return self._timers[0][0] if self._timers else None
