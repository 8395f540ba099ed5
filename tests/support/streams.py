"""Streams for tests."""

from datetime import UTC, datetime
from typing import Any, Final

from core.domain.audit_events import audit_event
from core.domain.models import Event
from core.domain.streams import Stream

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
