"""Retention rules in MongoDB: one document has them all, so that a change and its audit event are one write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from core.domain.audit_events import audit_event
from core.domain.models import Event
from core.domain.retention import RetentionRule, with_rule, without_rule
from core.errors import RuleNotFoundError, StoreUnavailableError
from core.stores.mongodb.connection import Connection, Document, writing
from core.stores.mongodb.own_events import recorded, try_to_store_recorded

_KEY: Final = {"_id": "rules"}
_ATTEMPTS: Final = 10

_Change = tuple[list[RetentionRule], list[Event]]
"""The new rules, and the events that record the change."""


def read_rules(connection: Connection) -> list[RetentionRule]:
    """Return all rules.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    with writing():
        return _rules(connection.writes.retention.find_one(_KEY))


def set_rule(connection: Connection, rule: RetentionRule, *, at: datetime) -> None:
    """See `Retention.set_rule`."""
    _change(connection, lambda rules: (with_rule(rules, rule), [_set(rule, at)]))


def replace_rules(connection: Connection, rules: Sequence[RetentionRule], *, at: datetime) -> None:
    """See `Retention.replace_rules`."""

    def replace(before: list[RetentionRule]) -> _Change:
        kept = {(rule.event_type, rule.customer_id) for rule in rules}
        removed = [rule for rule in before if (rule.event_type, rule.customer_id) not in kept]
        added = [rule for rule in rules if rule not in before]
        return list(rules), [*(_removed(rule, at) for rule in removed), *(_set(rule, at) for rule in added)]

    _change(connection, replace)


def remove_rule(connection: Connection, rule: RetentionRule, *, at: datetime) -> None:
    """See `Retention.remove_rule`."""

    def remove(before: list[RetentionRule]) -> _Change:
        left = without_rule(before, rule)
        if left == before:
            raise RuleNotFoundError("There is no rule about these events: `audit-log retention list` shows all.")
        return left, [_removed(rule, at)]

    _change(connection, remove)


def _set(rule: RetentionRule, at: datetime) -> Event:
    facts = {"event_type": rule.event_type, "customer_id": rule.customer_id, "keep_days": rule.keep_days}
    return audit_event("retention.set", rule.name, at=at, **facts)


def _removed(rule: RetentionRule, at: datetime) -> Event:
    facts = {"event_type": rule.event_type, "customer_id": rule.customer_id}
    return audit_event("retention.removed", rule.name, at=at, **facts)


def _change(connection: Connection, change: Callable[[list[RetentionRule]], _Change]) -> None:
    """Replace the rules by those that `change` returns for them, and record that by its events."""
    for _ in range(_ATTEMPTS):
        with writing():
            before = connection.writes.retention.find_one(_KEY)
            rules, records = change(_rules(before))
            version = before["version"] if before else 0
            after: dict[str, Any] = {
                "rules": [_document(rule) for rule in sorted(rules, key=_order)],
                "version": version + 1,
            }
            for record in records:
                after |= recorded(record)
            try:
                # Without a document of this version there is one of a newer, whose key is taken.
                changed = connection.writes.retention.update_one(
                    _KEY | {"version": version}, {"$set": after}, upsert=not before
                )
            except DuplicateKeyError:
                continue
            if changed.matched_count or changed.upserted_id:
                break
    else:
        raise StoreUnavailableError("Others change the retention rules at the same time: try again later.")
    try_to_store_recorded(connection)


def _rules(document: Document | None) -> list[RetentionRule]:
    return [RetentionRule(**each) for each in document["rules"]] if document else []


def _document(rule: RetentionRule) -> Document:
    return {"event_type": rule.event_type, "customer_id": rule.customer_id, "keep_days": rule.keep_days}


def _order(rule: RetentionRule) -> tuple[str, str]:
    return rule.event_type or "", "" if rule.customer_id is None else str(rule.customer_id)
