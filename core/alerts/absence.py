"""Steps of the kind `absence`: fires once if no event came for W seconds, and not again until one has come."""

from typing import Any

from core.alerts.steps import Data, Firing, Match


def waiting_since(time: int, values: list[Any]) -> Data:
    """Return the memory of a key of which no event came yet."""
    return {"last": time, "id": None, "values": values, "fired": False}


def step(data: Data | None, match: Match, values: list[Any]) -> tuple[Data | None, Firing | None]:
    """Note an event. `data` has `last` (Unix second), `id` (of that event), `values` (the key) and `fired`.

    The key is remembered in clear, because the alert names it and has no event to take it from. An event older than one
    that is known changes nothing, and history does not begin to wait for a key.
    """
    if (data is None and match.is_history) or (data is not None and match.time < data["last"]):
        return data, None
    return {"last": match.time, "id": match.event_id, "values": values, "fired": False}, None


def expire(data: Data, window: int, now: int) -> tuple[Data, Firing | None]:
    """Fire if the last event is more than a window before `now`, a Unix second up to which the log is complete."""
    if data["fired"] or now - data["last"] <= window:
        return data, None
    ids = (data["id"],) if data["id"] else ()
    return {**data, "fired": True}, Firing(0, data["last"], data["last"], ids)
