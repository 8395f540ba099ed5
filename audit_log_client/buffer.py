"""Bounded buffer between the threads that record events and the thread that sends them."""

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Final

from audit_log_client.errors import BufferFullError, ClosedError
from audit_log_client.models import MAX_BATCH_EVENTS

BATCH_BYTES: Final = 1024 * 1024
"""Size limit of a batch, unless it has a single event."""


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event as JSON, with its id."""

    event_id: str
    json: bytes


class Buffer:
    """Holds up to `capacity` events and `max_bytes`, and releases them in batches.

    A batch is released when it is full, when its first event has waited for `delay` seconds, or on `flush`. Its events
    count as held until `done` is called.
    """

    def __init__(self, capacity: int, max_bytes: int, delay: float) -> None:
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._delay = delay
        self._changed = Condition()
        self._events: deque[EncodedEvent] = deque()
        self._waiting_bytes = 0
        self._held_bytes = 0
        self._added = 0
        self._done = 0
        self._refused = 0
        self._flush_target = 0
        self._closed = False

    def put(self, event: EncodedEvent) -> None:
        """Add an event.

        Raises:
            BufferFullError: the buffer is at its limit.
            ClosedError: the buffer was closed.
        """
        with self._changed:
            if self._closed:
                raise ClosedError("The log is closed: this event was not recorded.")
            held = self._added - self._done
            if held >= self._capacity or self._held_bytes + len(event.json) > self._max_bytes:
                raise BufferFullError(f"The buffer is full with {held} events: this one was not recorded.")
            self._events.append(event)
            self._added += 1
            self._waiting_bytes += len(event.json)
            self._held_bytes += len(event.json)
            self._changed.notify_all()

    def take(self) -> list[EncodedEvent]:
        """Wait for the next batch and return it, oldest event first. An empty list: the buffer is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed)
            self._changed.wait_for(self._is_due, self._delay)
            batch: list[EncodedEvent] = []
            size = 0
            while self._events and len(batch) < MAX_BATCH_EVENTS:
                size += len(self._events[0].json)
                if batch and size > BATCH_BYTES:
                    break
                batch.append(self._events.popleft())
            self._waiting_bytes -= sum(len(event.json) for event in batch)
            return batch

    def done(self, batch: list[EncodedEvent], refused: int) -> None:
        """Release a batch. `refused` of its events were not accepted and are not retried."""
        with self._changed:
            self._refused += refused
            self._done += len(batch)
            self._held_bytes -= sum(len(event.json) for event in batch)
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Release held events without delay, and wait until all are done.

        Returns:
            Whether all events since the last flush were accepted. False after `timeout` seconds.
        """
        with self._changed:
            self._flush_target = target = self._added
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._done >= target, timeout):
                return False
            refused, self._refused = self._refused, 0
            return not refused

    def close(self) -> None:
        """Refuse further events, and release held ones without delay."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_due(self) -> bool:
        return (
            self._closed
            or self._flush_target > self._done
            or len(self._events) >= MAX_BATCH_EVENTS
            or self._waiting_bytes >= BATCH_BYTES
        )
