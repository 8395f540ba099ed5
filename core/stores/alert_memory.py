"""Evaluation of alert rules in the database of the events: memories, places and alerts change in one transaction.

A process that was stopped for a while, and whose rules were taken over meanwhile, finds another place and changes
nothing. So each event is counted once by each rule, whatever becomes of the processes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, insert, or_, select, update

from core.domain.alert_rules import MAX_KEYS, AlertRule
from core.domain.models import Event
from core.ports.alert_rules import Memory, RuleLease, RuleStep
from core.stores.alert_rules import rule_of
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.leases import RowLeases
from core.stores.own_events import insert_own_events
from core.stores.schema import alert_memory, alert_rules

_KEYS_PER_QUERY: Final = 500
_COLUMNS: Final = select(alert_memory.c.key_digest, alert_memory.c.data, alert_memory.c.at, alert_memory.c.customer_id)


class SqlAlertMemory:
    """Implements `AlertMemory`."""

    def __init__(self, engine: Engine, most: int = MAX_KEYS) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)
        self._leases = RowLeases(engine, alert_rules, alert_rules.c.rule_id)
        self._most = most

    def active(self) -> list[RuleLease]:
        """See `AlertMemory.active`."""
        query = select(alert_rules).where(alert_rules.c.state == "active").order_by(alert_rules.c.rule_id)
        with open_read_connection(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [RuleLease(rule_of(row), row["holder"], row["beat"]) for row in rows]

    def take(self, seen: RuleLease, holder: str) -> bool:
        """See `AlertMemory.take`."""
        return self._leases.take(seen.rule.rule_id, seen.rule.version, (seen.holder, seen.beat), holder)

    def beat(self, holder: str) -> None:
        """See `AlertMemory.beat`."""
        self._leases.beat([holder])

    def release(self, rule_id: str, holder: str) -> None:
        """See `AlertMemory.release`."""
        self._leases.release(rule_id, holder)

    def commit(self, steps: Sequence[RuleStep], holder: str) -> dict[str, AlertRule]:
        """See `AlertMemory.commit`. Rows are locked in the order of the ids of rules, as in `forget_customer`."""
        rules: dict[str, AlertRule] = {}
        alerts: list[Event] = []
        with open_connection(self._engine) as connection:
            self._dialect.begin_write(connection)
            for step in sorted(steps, key=lambda each: each.rule.rule_id):
                held = _held(step.rule, holder)
                moved = update(alert_rules).where(held).values(position=step.position, beat=alert_rules.c.beat + 1)
                if connection.execute(moved).rowcount:
                    fired, facts = self._evaluate(connection, step)
                    rules[step.rule.rule_id] = step.rule.model_copy(update={"position": step.position, **facts})
                    alerts += fired
            if alerts:
                insert_own_events(connection, self._dialect, alerts)
            connection.commit()
        return rules

    def _evaluate(self, connection: Connection, step: RuleStep) -> tuple[list[Event], dict[str, Any]]:
        result = step.evaluate(_memories(connection, step))
        facts: dict[str, Any] = {}
        if result.memories and (count := self._remember(connection, step.rule.rule_id, result.memories)):
            facts["forgotten"] = step.rule.forgotten + count
        if result.alerts:
            facts["last_alert_at"] = result.alerts[-1].received_at
        if facts:
            connection.execute(update(alert_rules).where(alert_rules.c.rule_id == step.rule.rule_id).values(**facts))
        return result.alerts, facts

    def _remember(self, connection: Connection, rule_id: str, memories: Mapping[str, Memory]) -> int:
        """Replace memories, and forget the keys that are too many. Returns how many."""
        _delete(connection, rule_id, list(memories))
        rows = [
            {"rule_id": rule_id, "key_digest": key, "data": orjson.dumps(each.data).decode(), "at": each.at,
             "customer_id": each.customer_id}
            for key, each in memories.items()
        ]  # fmt: skip
        connection.execute(insert(alert_memory), rows)
        of_rule = alert_memory.c.rule_id == rule_id
        excess: int = connection.execute(select(func.count()).where(of_rule)).scalar_one() - self._most
        if excess <= 0:
            return 0
        oldest = select(alert_memory.c.key_digest).where(of_rule).order_by(alert_memory.c.at, alert_memory.c.key_digest)
        _delete(connection, rule_id, list(connection.execute(oldest.limit(excess)).scalars()))
        return excess


def forget_customer(connection: Connection, customer_id: int) -> None:
    """Delete what alert rules remember of a customer, in the transaction that erases its events.

    Memories that have events of several customers have digests and times only, except those of the kind absence.
    """
    locked = select(alert_rules.c.rule_id, alert_rules.c.kind).order_by(alert_rules.c.rule_id).with_for_update()
    rules = connection.execute(locked).all()
    waiting = [row.rule_id for row in rules if row.kind == "absence"]
    mixed = and_(alert_memory.c.customer_id.is_(None), alert_memory.c.rule_id.in_(waiting))
    connection.execute(delete(alert_memory).where(or_(alert_memory.c.customer_id == customer_id, mixed)))


def _held(rule: AlertRule, holder: str) -> ColumnElement[bool]:
    columns = alert_rules.c
    return and_(
        columns.rule_id == rule.rule_id,
        columns.holder == holder,
        columns.version == rule.version,
        columns.position == rule.position,
    )


def _memories(connection: Connection, step: RuleStep) -> dict[str, Memory]:
    of_rule = alert_memory.c.rule_id == step.rule.rule_id
    conditions: list[ColumnElement[bool]] = [alert_memory.c.key_digest.in_(part) for part in _parts(sorted(step.keys))]
    if step.before is not None:
        conditions.append(alert_memory.c.at < step.before)
    return {
        row.key_digest: Memory(orjson.loads(row.data), row.at, row.customer_id)
        for condition in conditions
        for row in connection.execute(_COLUMNS.where(of_rule, condition))
    }


def _delete(connection: Connection, rule_id: str, keys: Sequence[str]) -> None:
    for part in _parts(keys):
        named = alert_memory.c.key_digest.in_(part)
        connection.execute(delete(alert_memory).where(alert_memory.c.rule_id == rule_id, named))


def _parts(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + _KEYS_PER_QUERY] for start in range(0, len(keys), _KEYS_PER_QUERY)]
