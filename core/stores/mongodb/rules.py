"""Retention rules in MongoDB: one document has them all, so that a change and its audit event are one write."""

from datetime import datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from core.domain.audit_events import audit_event
from core.domain.models import Event
from core.domain.retention import RetentionRule
from core.errors import RuleNotFoundError, StoreUnavailableError
from core.stores.mongodb.connection import Connection, Document, writing
from core.stores.mongodb.own_events import recorded, try_to_store_recorded

_KEY: Final = {"_id": "rules"}
_ATTEMPTS: Final = 10


def read_rules(connection: Connection) -> list[RetentionRule]:
    """Return all rules.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    with writing():
        return _rules(connection.writes.retention.find_one(_KEY))


def set_rule(connection: Connection, rule: RetentionRule, *, at: datetime) -> None:
    """See `Retention.set_rule`."""
    facts = {"event_type": rule.event_type, "customer_id": rule.customer_id, "keep_days": rule.keep_days}
    record = audit_event("retention.set", rule.name, at=at, **facts)
    _change(connection, rule, [rule], record)


def remove_rule(connection: Connection, rule: RetentionRule, *, at: datetime) -> None:
    """See `Retention.remove_rule`."""
    facts = {"event_type": rule.event_type, "customer_id": rule.customer_id}
    record = audit_event("retention.removed", rule.name, at=at, **facts)
    if not _change(connection, rule, [], record):
        raise RuleNotFoundError("There is no rule about these events: `audit-log retention list` shows all.")


def _change(connection: Connection, about: RetentionRule, new: list[RetentionRule], record: Event) -> bool:
    """Replace the rule about the same events by `new`; return whether that changed anything."""
    for _ in range(_ATTEMPTS):
        with writing():
            before = connection.writes.retention.find_one(_KEY)
            rules = _rules(before)
            others = [
                rule for rule in rules if (rule.event_type, rule.customer_id) != (about.event_type, about.customer_id)
            ]
            if not new and others == rules:
                return False
            version = before["version"] if before else 0
            after = {"rules": [_document(rule) for rule in sorted(others + new, key=_order)], "version": version + 1}
            update = {"$set": after | recorded(record)}
            try:
                # Without a document of this version there is one of a newer, whose key is taken.
                changed = connection.writes.retention.update_one(_KEY | {"version": version}, update, upsert=not before)
            except DuplicateKeyError:
                continue
            if changed.matched_count or changed.upserted_id:
                break
    else:
        raise StoreUnavailableError("Others change the retention rules at the same time: try again later.")
    try_to_store_recorded(connection)
    return True


def _rules(document: Document | None) -> list[RetentionRule]:
    return [RetentionRule(**each) for each in document["rules"]] if document else []


def _document(rule: RetentionRule) -> Document:
    return {"event_type": rule.event_type, "customer_id": rule.customer_id, "keep_days": rule.keep_days}


def _order(rule: RetentionRule) -> tuple[str, str]:
    return rule.event_type or "", "" if rule.customer_id is None else str(rule.customer_id)
