"""Status of alert rules: the figures of all for metrics."""

from typing import Any

from core.domain.clock import Clock
from core.ports.alert_rules import AlertRuleAdmin
from core.ports.feed import FeedReader, behind_seconds


class AlertRuleStatus:
    """Compares rules with the log."""

    def __init__(self, store: AlertRuleAdmin, feed: FeedReader, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    def check(self) -> dict[str, Any]:
        """Implement `Check`: figures of all rules. `behind_seconds` is the delay of the slowest active one.

        Raises:
            StoreUnavailableError: the database cannot be read.
        """
        rules = self._store.rules()
        active = [rule.position for rule in rules if rule.state == "active"]
        return {
            "active": len(active),
            "paused": len(rules) - len(active),
            "behind_seconds": behind_seconds(self._feed, min(active), self._clock) if active else 0.0,
        }
