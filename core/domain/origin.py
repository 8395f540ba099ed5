"""Origin of imported events: when, and from which client, the service that exported them had received them.

An import is recorded like every event: `received_at` and `recorded_by` say what this service knows. Those of the
exporting service are kept in `event_data.audit_log_origin`, by the client that imports, and are its claim:
docs/decisions/0032-an-import-keeps-its-origin-in-event-data.md
"""

from typing import Any, Final

ORIGIN: Final = "audit_log_origin"
"""Member of event_data: `received_at`, `recorded_by`, and the origin that the exported event had itself, if any."""


def add_origin(event_data: dict[str, Any], received_at: str, recorded_by: str) -> dict[str, Any]:
    """Return the data of an exported event for its import."""
    origin: dict[str, Any] = {"received_at": received_at, "recorded_by": recorded_by}
    if ORIGIN in event_data:
        origin[ORIGIN] = event_data[ORIGIN]
    return {**without_origin(event_data), ORIGIN: origin}


def without_origin(event_data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an event as it was first recorded."""
    if ORIGIN not in event_data:
        return event_data
    return {name: value for name, value in event_data.items() if name != ORIGIN}


def first_recorder(event_data: dict[str, Any], recorded_by: str) -> str:
    """Return the client that first recorded an event which `recorded_by` sent to this service."""
    origin = event_data.get(ORIGIN)
    while isinstance(origin, dict):
        recorded_by = str(origin.get("recorded_by"))
        origin = origin.get(ORIGIN)
    return recorded_by
