"""What waits to be sent: bounded, and shared by the threads that record and the one that sends."""

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Final

from audit_log_client.errors import BufferFullError, ClosedError
from audit_log_client.models import MAX_BATCH_EVENTS

BATCH_BYTES: Final = 1024 * 1024
"""A batch that is larger has one event."""


@dataclass(frozen=True, slots=True)
class Line:
    """An event on its way: its id and its JSON."""

    event_id: str
    json: bytes


class Buffer:
    """Takes events until it holds `capacity` of them or `max_bytes`, and gives them in batches.

    A batch leaves when it is full, when its first event has waited for `delay` seconds, or when somebody flushes. Until
    `done` is called its events count as held.
    """

    def __init__(self, capacity: int, max_bytes: int, delay: float) -> None:
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._delay = delay
        self._changed = Condition()
        self._lines: deque[Line] = deque()
        self._waiting_bytes = 0
        self._held_bytes = 0
        self._taken = 0
        self._let_go = 0
        self._wanted = 0
        self._closed = False

    def put(self, line: Line) -> None:
        """Hold an event.

        Raises:
            BufferFullError: there is no room.
            ClosedError: no more are taken.
        """
        with self._changed:
            if self._closed:
                raise ClosedError("The log is closed: this event was not recorded.")
            held = self._taken - self._let_go
            if held >= self._capacity or self._held_bytes + len(line.json) > self._max_bytes:
                raise BufferFullError(f"{held} events wait to be sent: this one was not recorded.")
            self._lines.append(line)
            self._taken += 1
            self._waiting_bytes += len(line.json)
            self._held_bytes += len(line.json)
            self._changed.notify_all()

    def take(self) -> list[Line]:
        """The next batch, the oldest first, once it may leave; empty when the buffer is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            self._changed.wait_for(self._may_leave, self._delay)
            batch: list[Line] = []
            size = 0
            while self._lines and len(batch) < MAX_BATCH_EVENTS:
                size += len(self._lines[0].json)
                if batch and size > BATCH_BYTES:
                    break
                batch.append(self._lines.popleft())
            self._waiting_bytes -= sum(len(line.json) for line in batch)
            return batch

    def done(self, batch: list[Line]) -> None:
        """Let go of a batch that was taken: it was accepted, or given up."""
        with self._changed:
            self._let_go += len(batch)
            self._held_bytes -= sum(len(line.json) for line in batch)
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Let what is held leave at once and wait until it is let go; whether it was within `timeout` seconds."""
        with self._changed:
            self._wanted = target = self._taken
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._let_go >= target, timeout)

    def close(self) -> None:
        """Take no more events, and let those that are there leave at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _may_leave(self) -> bool:
        return (
            self._closed
            or self._wanted > self._let_go
            or len(self._lines) >= MAX_BATCH_EVENTS
            or self._waiting_bytes >= BATCH_BYTES
        )
