"""Port of retention: the rules that say how long events are kept, and the deletion of events that are due."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.domain.models import Event
from core.domain.retention import RetentionRule

Archive = Callable[[Sequence[Event]], None]
"""Keeps events before they are deleted. Raises an AuditLogError to keep them in the store."""

Pause = Callable[[float], bool]
"""Waits for as many seconds; returns whether to stop."""


@dataclass(frozen=True, slots=True)
class Due:
    """The events that are due by one rule: all before `before`, in Unix seconds."""

    rule: RetentionRule
    before: int
    events: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Purged:
    """The events that a purge deleted, by month, and those that are due and that each legal hold kept, by its id."""

    deleted: Counter[str]
    kept: dict[str, int]


class Retention(Protocol):
    """Keeps the retention rules of one database, and deletes its events by them.

    Every method raises StoreUnavailableError if the database is unreachable; trying again later helps.
    """

    def rules(self) -> list[RetentionRule]:
        """Return all rules."""

    def set_rule(self, rule: RetentionRule, *, at: datetime) -> None:
        """Add a rule, or replace the one about the same events; record it by `audit-log.retention.set`."""

    def replace_rules(self, rules: Sequence[RetentionRule], *, at: datetime) -> None:
        """Make these the only rules: all of the change or nothing. Record each that is set or removed."""

    def remove_rule(self, rule: RetentionRule, *, at: datetime) -> None:
        """Remove the rule about the events of `rule`; record it by `audit-log.retention.removed`.

        Raises:
            RuleNotFoundError: there is none.
        """

    def plan(self, *, now: datetime, proposed: Sequence[RetentionRule] | None = None) -> list[Due]:
        """Count the events that are due, by rule: of the stored ones, or of `proposed` ones. Nothing is changed."""

    def leaves_nothing(self, rules: Sequence[RetentionRule], *, now: datetime) -> bool:
        """Return whether these rules would delete all events of clients, of which there are some."""

    def kept_by_holds(self, *, now: datetime) -> dict[str, int]:
        """Count the events that are due and that each legal hold keeps, by the id of the hold. Nothing is changed."""

    def purge(
        self,
        *,
        now: datetime,
        pause: Pause,
        everything: bool = False,
        archive: Archive | None = None,
    ) -> Purged:
        """Delete the events that are due, but for those that a legal hold keeps, which is recorded once for each hold.

        Args:
            now: The time that rules count from.
            pause: Called between two batches with the duration of the last one, so that writers have their turn.
            everything: Whether to delete even if no event of a client would be left.
            archive: Gets each batch of events before it is deleted.

        Raises:
            PurgeRefusedError: no event of a client would be left.
        """
