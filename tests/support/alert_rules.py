"""Alert rules for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.domain.alert_rules import AlertRule
from core.domain.models import Event
from tests.support import builders

NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
START: Final = int(NOW.timestamp())
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
