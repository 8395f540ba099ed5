"""Events in the form of this service."""

from typing import Any

from core.domain.models import Event, rfc3339_milliseconds


def native(event: Event, _source: str) -> dict[str, Any]:
    """Return an event as `GET /event/{event_id}` does."""
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "customer_id": event.customer_id,
        "timestamp_utc": event.timestamp_utc,
        "event_data": event.event_data,
        "received_at": rfc3339_milliseconds(event.received_at),
        "recorded_by": event.recorded_by,
    }
