"""Preview of an alert rule: when it would have fired over the newest entries of the log. Nothing is stored."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, NamedTuple

from core.alerts.evaluation import Candidate, Evaluation
from core.domain.alert_rules import MAX_KEYS, AlertRule, AlertRuleDefinition
from core.domain.clock import Clock
from core.domain.models import Event
from core.domain.queries import EventFilter
from core.ports.alert_rules import Memory
from core.ports.feed import FeedReader, FeedRequest

PREVIEW_ENTRIES: Final = 10_000
MAX_PREVIEWED: Final = 100
"""Alerts that a preview shows: the first ones."""
PREVIEW_SECONDS: Final = 10.0
"""After this time a preview reads no further entries: those of the largest events take minutes."""
_PAGE: Final = 250


class Preview(NamedTuple):
    """When a rule would have fired."""

    entries: int
    """Entries of the log that were looked at."""
    matched: int
    """How many times a rule counted an event, once for each of its new values with first_seen."""
    alert_count: int
    """Number of alerts."""
    alerts: list[dict[str, Any]]
    """The first of them, as the data of `audit-log.alert`."""


def preview(
    definition: AlertRuleDefinition, feed: FeedReader, clock: Clock, seconds: float = PREVIEW_SECONDS
) -> Preview:
    """Run a rule over the newest 10,000 entries, from the oldest of these on, for `seconds` at most.

    A rule of the kind first_seen learns from the first half of them. One of the kind absence fires where the next event
    of a key came too late, and at the end.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    now = datetime.fromtimestamp(clock(), UTC)
    end = feed.size()
    position = start = max(0, end - PREVIEW_ENTRIES)
    learns_until = (start + end) // 2 if definition.kind == "first_seen" else 0
    rule = AlertRule(
        **dict(definition), rule_id="preview", position=start, learns_until=learns_until, created_at=now, changed_at=now
    )
    evaluation = Evaluation(rule, secrets.token_bytes(32))
    memories: dict[str, Memory] = {}
    alerts: list[Event] = []
    matched = alert_count = 0
    deadline = monotonic() + seconds
    while position < end:
        page = feed.read(FeedRequest(EventFilter(), position, min(_PAGE, end - position)))
        found = evaluation.candidates(page.entries)
        matched += len(found)
        fired = _count(evaluation, found, memories, now)
        alert_count += len(fired)
        alerts += fired[: MAX_PREVIEWED - len(alerts)]
        memories = _remembered(memories)
        position = page.position
        if monotonic() > deadline:
            break
    if rule.kind == "absence" and position == end:
        fired = evaluation.expire(memories, int(now.timestamp()), now).alerts
        alert_count += len(fired)
        alerts += fired[: MAX_PREVIEWED - len(alerts)]
    return Preview(position - start, matched, alert_count, [alert.event_data for alert in alerts])


def _remembered(memories: dict[str, Memory]) -> dict[str, Memory]:
    """Forget the keys with the oldest events, as a stored rule does."""
    if len(memories) <= MAX_KEYS:
        return memories
    return dict(sorted(memories.items(), key=lambda item: item[1].at)[-MAX_KEYS:])


def _count(
    evaluation: Evaluation, found: Sequence[Candidate], memories: dict[str, Memory], now: datetime
) -> list[Event]:
    alerts: list[Event] = []
    for candidate in found:
        before = memories.get(candidate.key)
        if evaluation.rule.kind == "absence" and before:
            expired = evaluation.expire({candidate.key: before}, candidate.match.time, now)
            alerts += expired.alerts
            memories |= expired.memories
        result = evaluation.count([candidate], memories, now)
        memories |= result.memories
        alerts += result.alerts
    return alerts
