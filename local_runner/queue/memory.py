"""The in-memory queue: bodies in memory, on a spool that outlives the process, or on none.

The queue of `chalice local`, of `AUDIT_LOG_SPOOL=off` and of tests. `audit-log serve` with a spool has the queue of
`local_runner.queue.spooled`, whose bodies are in the spool alone.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from core.domain.models import Event
from core.ports.queue import Message
from local_runner.queue.in_flight import QueuedMessage
from local_runner.queue.visibility import RECEIVE_BYTES, DeadLetters, QueueLimits, Staged, VisibilityQueue
from local_runner.spool.spool import NoSpool, Spool


class InMemoryQueue(VisibilityQueue[QueuedMessage, Sequence[int]]):
    """Implements `EventPublisher` and `EventSource`. Thread-safe.

    Messages that earlier processes left in the spool are read as they are received, so that they never fill the memory.
    """

    def __init__(
        self,
        dead_letters: DeadLetters,
        limits: QueueLimits | None = None,
        *,
        spool: Spool | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._spool: Final = spool or NoSpool()
        super().__init__(dead_letters, limits or QueueLimits(), self._spool, clock=clock, wall_clock=wall_clock)

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """See `EventSource.receive`."""
        self._load_spooled(max_messages)
        if not self._wait_for_entry(wait):
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
            self._events -= len(entries)
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

    def _staged(self, events: Sequence[Event], traceparent: str | None) -> Staged:
        # Copied, since a bytes object of orjson occupies up to 4 KB for as long as it lives.
        bodies = [bytes(memoryview(event.to_json())) for event in events]
        return Staged(bodies, sum(map(len, bodies)), traceparent)

    def _write(self, bodies: Sequence[bytes], now: float) -> Sequence[int]:
        return self._spool.append(bodies, now)

    def _append(self, place: Sequence[int], now: float, staged: Sequence[Staged]) -> None:
        bodies = [body for each in staged for body in each.bodies]
        traceparents = [each.traceparent for each in staged for _ in each.bodies]
        self._waiting.extend(map(QueuedMessage, place, bodies, itertools.repeat(now), traceparents))

    def _messages(self, entry: QueuedMessage) -> list[Message]:
        return [entry.message]

    def _delete(self, entries: Sequence[QueuedMessage]) -> None:
        self.delete([entry.receipt_handle for entry in entries])

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
            self._events += len(entries)
            self._waiting.extendleft(reversed(entries))
            self._bytes += sum(len(entry.body) for entry in entries)

    def _pop_waiting(self, at_most: int) -> list[QueuedMessage]:
        entries: list[QueuedMessage] = []
        size = 0
        while self._waiting and len(entries) < at_most and size < RECEIVE_BYTES:
            entries.append(self._waiting.popleft())
            size += len(entries[-1].body)
        return entries
