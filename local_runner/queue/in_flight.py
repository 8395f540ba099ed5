"""Messages that were received and are not dealt with, and when to look at each of them again."""

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.ports.queue import Message


@dataclass(slots=True)
class QueuedMessage:
    """A message in the queue, under the number that its spool gave it; `body` is UTF-8, the most compact form."""

    number: int
    body: bytes
    sent_at: float
    traceparent: str | None = None  # in memory alone: what comes from the spool of another process has lost it
    receive_count: int = 0
    receipt_handle: str = ""
    due: float = 0.0
    paused: bool = False  # failed, and waiting for its next receive

    @property
    def message(self) -> Message:
        """What a consumer gets to see."""
        return Message(
            str(self.number),
            self.receipt_handle,
            self.body.decode(),
            self.receive_count,
            self.sent_at,
            self.traceparent,
        )


class InFlight:
    """Entries by the receipt handle of their last receive. Not safe by itself: the queue's lock guards it."""

    def __init__(self) -> None:
        self._entries: dict[str, QueuedMessage] = {}
        self._counter = itertools.count(1)
        # One timer for a whole batch, since a batch is received at once.
        self._timers: list[tuple[float, int, tuple[str, ...]]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[QueuedMessage]:
        return iter(self._entries.values())

    def add(self, entries: Sequence[QueuedMessage], due: float) -> None:
        """Take entries that are being received, to be looked at again at `due`."""
        for entry in entries:
            entry.receive_count += 1
            entry.receipt_handle = f"{entry.number}.{next(self._counter)}"
            self._entries[entry.receipt_handle] = entry
        self.reschedule(entries, due, paused=False)

    def get(self, receipt_handles: Iterable[str]) -> list[QueuedMessage]:
        """Those of these receipts that are valid."""
        return [entry for handle in receipt_handles if (entry := self._entries.get(handle))]

    def pop(self, receipt_handles: Iterable[str]) -> list[QueuedMessage]:
        """Let go of entries; those of these receipts that were valid."""
        return [entry for handle in receipt_handles if (entry := self._entries.pop(handle, None))]

    def reschedule(self, entries: Sequence[QueuedMessage], due: float, *, paused: bool) -> None:
        """Look at entries again at `due`, instead of when it was said before."""
        for entry in entries:
            entry.due = due
            entry.paused = paused
        if entries:
            handles = tuple([entry.receipt_handle for entry in entries])
            heapq.heappush(self._timers, (due, next(self._counter), handles))

    def due(self, now: float) -> list[QueuedMessage]:
        """Those to be looked at by now. They stay until they are popped, and are not given out again."""
        found: dict[
            str, QueuedMessage
        ] = {}  # each once: its first timer may have run out by now as well as its later one
        while self._timers and self._timers[0][0] <= now:
            # The others were popped since, or given another time, which has its own timer.
            entries = self.get(heapq.heappop(self._timers)[2])
            found |= {entry.receipt_handle: entry for entry in entries if entry.due <= now}
        return list(found.values())

    def next_timer(self) -> float | None:
        """When to call `due` again at the latest."""
        return self._timers[0][0] if self._timers else None
