"""Retention rules in the database, which the purge applies in every process."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, delete, insert, select

from core.domain.audit_events import audit_event
from core.domain.retention import RetentionRule
from core.errors import RuleNotFoundError
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import retention_rules

_ALL: Final = select(retention_rules).order_by(retention_rules.c.event_type, retention_rules.c.customer)


def read_rules(engine: Engine) -> list[RetentionRule]:
    """Return all rules.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    with open_read_connection(engine) as connection:
        return _read(connection)


def set_rule(engine: Engine, rule: RetentionRule, *, at: datetime) -> None:
    """Add a rule, or replace the one about the same events; record it by `audit-log.retention.set`.

    Raises:
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    with open_connection(engine) as connection:
        _set(connection, engine, rule, at)
        connection.commit()


def replace_rules(engine: Engine, rules: Sequence[RetentionRule], *, at: datetime) -> None:
    """Make these the only rules, in one transaction; record each that is set or removed, as above.

    Raises:
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    with open_connection(engine) as connection:
        before = _read(connection)
        kept = {(rule.event_type, rule.customer_id) for rule in rules}
        for rule in before:
            if (rule.event_type, rule.customer_id) not in kept:
                _remove(connection, engine, rule, at)
        for rule in rules:
            if rule not in before:
                _set(connection, engine, rule, at)
        connection.commit()


def remove_rule(engine: Engine, rule: RetentionRule, *, at: datetime) -> None:
    """Remove the rule about the events of `rule`; record it by `audit-log.retention.removed`.

    Raises:
        RuleNotFoundError: there is none.
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    with open_connection(engine) as connection:
        if not _remove(connection, engine, rule, at):
            raise RuleNotFoundError("There is no rule about these events: `audit-log retention list` shows all.")
        connection.commit()


def _read(connection: Connection) -> list[RetentionRule]:
    return [
        RetentionRule(row.event_type or None, int(row.customer) if row.customer else None, row.keep_days)
        for row in connection.execute(_ALL)
    ]


def _set(connection: Connection, engine: Engine, rule: RetentionRule, at: datetime) -> None:
    _delete(connection, rule)
    connection.execute(insert(retention_rules).values(**_key(rule), keep_days=rule.keep_days, at=at))
    facts = {"event_type": rule.event_type, "customer_id": rule.customer_id, "keep_days": rule.keep_days}
    insert_own_event(connection, dialect_of(engine), audit_event("retention.set", rule.name, at=at, **facts))


def _remove(connection: Connection, engine: Engine, rule: RetentionRule, at: datetime) -> bool:
    if not _delete(connection, rule):
        return False
    facts = {"event_type": rule.event_type, "customer_id": rule.customer_id}
    insert_own_event(connection, dialect_of(engine), audit_event("retention.removed", rule.name, at=at, **facts))
    return True


def _delete(connection: Connection, rule: RetentionRule) -> int:
    of_rule = [retention_rules.c[name] == value for name, value in _key(rule).items()]
    return connection.execute(delete(retention_rules).where(*of_rule)).rowcount


def _key(rule: RetentionRule) -> dict[str, str]:
    customer = "" if rule.customer_id is None else str(rule.customer_id)
    return {"event_type": rule.event_type or "", "customer": customer}
