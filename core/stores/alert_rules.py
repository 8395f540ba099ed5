"""Alert rules in the database of the events: their registration. `core.stores.alert_memory` has their evaluation."""

from typing import Any, Final, NoReturn

import orjson
from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select, update

from core.domain.alert_rules import MAX_RULES, AlertRule, AlertRuleDefinition
from core.domain.models import Event
from core.errors import AlertRuleNotFoundError, TooManyAlertRulesError, VersionConflictError
from core.stores.connections import open_read_connection
from core.stores.recorded_changes import recorded_change, unique_name
from core.stores.schema import alert_memory, alert_rules

_NAME_TAKEN: Final = "Another alert rule has this name: choose another one."
_EVALUATED: Final = ("position", "learns_until", "last_alert_at", "forgotten")
"""Columns that the evaluation changes while a person changes the definition."""


def rule_of(row: RowMapping) -> AlertRule:
    """Decode a row of the table."""
    own = {name: row[name] for name in AlertRule.model_fields if name not in AlertRuleDefinition.model_fields}
    return AlertRule.model_validate({**orjson.loads(row["definition"]), **own})


class SqlAlertRules:
    """Implements `AlertRuleAdmin`."""

    def __init__(self, engine: Engine, most: int = MAX_RULES) -> None:
        self._engine = engine
        self._most = most

    def rules(self) -> list[AlertRule]:
        """See `AlertRuleAdmin.rules`."""
        query = select(alert_rules).order_by(alert_rules.c.created_at, alert_rules.c.rule_id)
        with open_read_connection(self._engine) as connection:
            return [rule_of(row) for row in connection.execute(query).mappings()]

    def rule(self, rule_id: str) -> AlertRule:
        """See `AlertRuleAdmin.rule`."""
        with open_read_connection(self._engine) as connection:
            return _stored(connection, rule_id)

    def add_rule(self, rule: AlertRule, record: Event) -> None:
        """See `AlertRuleAdmin.add_rule`."""
        with recorded_change(self._engine, record, _NAME_TAKEN) as connection:
            if connection.execute(select(func.count()).select_from(alert_rules)).scalar_one() >= self._most:
                raise TooManyAlertRulesError(f"There are {self._most} alert rules already: delete one first.")
            connection.execute(insert(alert_rules).values(**_columns(rule), beat=0))

    def change_rule(self, rule: AlertRule, record: Event, *, restarts: bool = False) -> AlertRule:
        """See `AlertRuleAdmin.change_rule`."""
        columns = {**_columns(rule), "version": rule.version + 1}
        if not restarts:
            columns = {name: value for name, value in columns.items() if name not in _EVALUATED}
        with recorded_change(self._engine, record, _NAME_TAKEN) as connection:
            if not connection.execute(update(alert_rules).where(*_unchanged(rule)).values(**columns)).rowcount:
                _explain(connection, rule.rule_id)
            if restarts:
                connection.execute(delete(alert_memory).where(alert_memory.c.rule_id == rule.rule_id))
            return _stored(connection, rule.rule_id)

    def delete_rule(self, rule: AlertRule, record: Event) -> None:
        """See `AlertRuleAdmin.delete_rule`."""
        with recorded_change(self._engine, record, _NAME_TAKEN) as connection:
            if not connection.execute(delete(alert_rules).where(*_unchanged(rule))).rowcount:
                _explain(connection, rule.rule_id)
            connection.execute(delete(alert_memory).where(alert_memory.c.rule_id == rule.rule_id))


def _columns(rule: AlertRule) -> dict[str, Any]:
    definition = rule.model_dump(mode="json", include=set(AlertRuleDefinition.model_fields))
    columns = {name: getattr(rule, name) for name in AlertRule.model_fields if name in alert_rules.c}
    columns["name"] = unique_name(rule.name, rule.customers)
    return {**columns, "definition": orjson.dumps(definition).decode()}


def _stored(connection: Connection, rule_id: str) -> AlertRule:
    row = connection.execute(select(alert_rules).where(alert_rules.c.rule_id == rule_id)).mappings().first()
    if row is None:
        _not_found()
    return rule_of(row)


def _unchanged(rule: AlertRule) -> tuple[Any, ...]:
    return alert_rules.c.rule_id == rule.rule_id, alert_rules.c.version == rule.version


def _explain(connection: Connection, rule_id: str) -> NoReturn:
    if connection.execute(select(alert_rules.c.version).where(alert_rules.c.rule_id == rule_id)).first() is None:
        _not_found()
    raise VersionConflictError("The alert rule was changed since it was read: read it again, and repeat the change.")


def _not_found() -> NoReturn:
    raise AlertRuleNotFoundError("There is no such alert rule.")
