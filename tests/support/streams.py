"""Streams for tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from core.domain.audit_events import audit_event
from core.domain.models import Event
from core.domain.streams import Stream
from core.errors import DeliveryError, DeliveryRefusedError
from core.ports.streams import Batch, Destination, Limits, Receipt
from core.streams.outlets import Outlet

StoreEvents = Callable[..., None]
NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)


def make_stream(number: int = 1, **fields: Any) -> Stream:
    """A valid stream; the number is in its id and its name."""
    values = {
        "stream_id": f"stream-{number:016x}",
        "name": f"stream {number}",
        "destination": {"kind": "directory", "path": "/var/archive"},
        "position": 0,
        "created_at": NOW,
        "changed_at": NOW,
    }
    return Stream.model_validate({**values, **fields})


def record(kind: str = "stream.changed", at: datetime = NOW) -> Event:
    """An event that records a change."""
    return audit_event(kind, "stream-1", at=at)


class FakeDestination:
    """A destination that keeps what it takes, and refuses or fails as a test says."""

    def __init__(self, limits: Limits = Limits(), on_send: Callable[[], object] = lambda: None) -> None:  # noqa: B008 - immutable
        self.limits = limits
        self.batches: list[list[int]] = []
        """The numbers of the events of each batch that it took."""
        self.attempts = 0
        self.failures: list[DeliveryError] = []
        """Raised by the next attempts, one after the other."""
        self.refuses: Callable[[int], bool] = lambda _number: False
        """Whether an event, by its number, makes it refuse the batch."""
        self.partly: list[int] = []
        """How many events the next batches do not take although they are taken as a whole."""
        self.is_closed = False
        self._on_send = on_send

    @property
    def numbers(self) -> list[int]:
        """The numbers of all events, in the order in which they came."""
        return [number for batch in self.batches for number in batch]

    def send(self, batch: Batch) -> Receipt:
        self.attempts += 1
        self._on_send()
        if self.failures:
            raise self.failures.pop(0)
        numbers = [number_of(entry.event) for entry in batch.entries]
        if any(map(self.refuses, numbers)):
            raise DeliveryRefusedError("It does not accept an event.", 400)
        self.batches.append(numbers)
        return Receipt(200, self.partly.pop(0) if self.partly else 0)

    def close(self) -> None:
        self.is_closed = True


def number_of(event: Event) -> int:
    """The number of an event that `builders.event` made; -1 for others."""
    return int(event.event_data.get("number", -1))


def outlet(destination: Destination) -> Outlet:
    """An outlet that neither masks nor changes the form."""
    return Outlet(destination, lambda event: event, lambda event: {"event_id": event.event_id})
