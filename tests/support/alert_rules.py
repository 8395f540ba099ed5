"""Alert rules for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.alerts.steps import Match
from core.domain.alert_rules import AlertRule
from core.domain.models import Event
from tests.support import builders

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
START: Final = int(NOW.timestamp())
LATE: Final = 3600
"""Seconds by which an event may be later than the window of a rule."""
_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "threshold": {"threshold": 3, "window_seconds": 60},
    "first_seen": {"path": "event_data.ip"},
    "absence": {"window_seconds": 60},
}


def make_rule(number: int = 1, kind: str = "threshold", **fields: Any) -> AlertRule:
    """A valid rule; the number is in its id and its name."""
    values = {
        "rule_id": f"rule-{number:016x}",
        "name": f"rule {number}",
        "kind": kind,
        "position": 0,
        "created_at": NOW,
        "changed_at": NOW,
        **_SETTINGS[kind],
    }
    return AlertRule.model_validate({**values, **fields})


def happened(number: int, second: int, *, delay: float = 0.0, **fields: Any) -> Event:
    """An event that happened some seconds after `START`, and was received `delay` seconds later."""
    received = NOW + timedelta(seconds=second + delay)
    return builders.event(number, timestamp_utc=START + second, received_at=received, **fields)


def counted_afresh(history: Sequence[Match], wanted: int, window: int) -> list[tuple[str, int, int, int]]:
    """Alerts of a threshold by their definition: for each event, all events before it are looked at again.

    Returns the id of the event that fires, the number of events in its window, and the first and the last second.
    """
    alerts: list[tuple[str, int, int, int]] = []
    counted: list[int] = []
    quiet_until = -1
    for match in history:
        newest = max([match.time, *counted])
        if match.is_history or match.time <= quiet_until or match.time < newest - window - LATE:
            continue
        counted.append(match.time)
        near = [time for time in counted if abs(time - match.time) <= window]
        for first in sorted(time for time in near if time <= match.time):
            inside = [time for time in near if first <= time <= first + window]
            if len(inside) >= wanted:
                alerts.append((match.event_id, len(inside), min(inside), max(inside)))
                counted, quiet_until = [], max(inside) + window
                break
    return alerts
