"""Retention in a SQL database: the rules of `core.stores.retention_rules`, applied by `core.stores.purging`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from core.domain.retention import RetentionRule
from core.ports.retention import Archive, Due, Pause, Purged
from core.stores import purging, retention_rules


class SqlRetention:
    """Implements `Retention`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rules(self) -> list[RetentionRule]:
        """See `Retention.rules`."""
        return retention_rules.read_rules(self._engine)

    def set_rule(self, rule: RetentionRule, *, at: datetime) -> None:
        """See `Retention.set_rule`."""
        retention_rules.set_rule(self._engine, rule, at=at)

    def replace_rules(self, rules: Sequence[RetentionRule], *, at: datetime) -> None:
        """See `Retention.replace_rules`."""
        retention_rules.replace_rules(self._engine, rules, at=at)

    def remove_rule(self, rule: RetentionRule, *, at: datetime) -> None:
        """See `Retention.remove_rule`."""
        retention_rules.remove_rule(self._engine, rule, at=at)

    def plan(self, *, now: datetime, proposed: Sequence[RetentionRule] | None = None) -> list[Due]:
        """See `Retention.plan`."""
        return purging.plan(self._engine, now=now, proposed=proposed)

    def leaves_nothing(self, rules: Sequence[RetentionRule], *, now: datetime) -> bool:
        """See `Retention.leaves_nothing`."""
        return purging.leaves_nothing(self._engine, rules, now=now)

    def kept_by_holds(self, *, now: datetime) -> dict[str, int]:
        """See `Retention.kept_by_holds`."""
        return purging.kept_by_holds(self._engine, now=now)

    def purge(self, *, now: datetime, pause: Pause, everything: bool = False, archive: Archive | None = None) -> Purged:
        """See `Retention.purge`."""
        return purging.purge(self._engine, now=now, everything=everything, archive=archive, pause=pause)
