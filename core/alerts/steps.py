"""Common parts of the steps of all kinds of rules: a match, the memory of a key, and what fires."""

from typing import Any, Final, NamedTuple

from core.domain.alert_rules import LATE_SECONDS
from core.domain.models import Event

MAX_IDS: Final = 10
"""Ids of events that an alert names."""

Data = dict[str, Any]
"""What a rule remembers of a key, as JSON. Each kind has its own members."""


class Match(NamedTuple):
    """An event that a rule counts."""

    event_id: str
    time: int
    """Unix second in which it happened by its sender, and at the latest that in which it was received."""
    is_history: bool
    """Whether it was received so much later than it happened that it must not fire."""


class Firing(NamedTuple):
    """What an alert says about the events that fired it."""

    events: int
    """Number of events in the window; 0 for absence."""
    first: int
    """Unix second of the first event."""
    last: int
    event_ids: tuple[str, ...]
    """The newest ids, in the order of the log."""


def match_of(event: Event, window: int) -> Match:
    """Judge the time of an event by its receive time, which the clock of the service gave it."""
    received = int(event.received_at.timestamp())
    late = received - event.timestamp_utc > window + LATE_SECONDS
    return Match(event.event_id, min(event.timestamp_utc, received), late)
