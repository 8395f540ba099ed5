"""Retention rules: how long events are kept, by type and customer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.domain.models import RESERVED_PREFIX

MAX_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Events of this type and customer are kept for `keep_days` after their `timestamp_utc`. None stands for any.

    A rule for any type does not apply to the events of the service itself: they explain what the ledger lacks.
    """

    event_type: str | None
    customer_id: int | None
    keep_days: int

    @property
    def name(self) -> str:
        """The events that it is about, for people."""
        customer = "all customers" if self.customer_id is None else f"customer {self.customer_id}"
        return f"{self.event_type or 'all types'} of {customer}"

    def before(self, now: datetime) -> int:
        """Return the time before which events are due, in Unix seconds."""
        return int((now - timedelta(days=self.keep_days)).timestamp())

    def meets(self, other: "RetentionRule") -> bool:
        """Whether there are events that both are about."""
        types = {self.event_type, other.event_type} - {None}
        customers = {self.customer_id, other.customer_id} - {None}
        is_own = any(each and each.startswith(RESERVED_PREFIX) for each in types)
        return len(types) <= 1 and len(customers) <= 1 and not (is_own and None in {self.event_type, other.event_type})

    def _rank(self) -> tuple[int, int, bool]:
        known = (self.event_type is not None) + (self.customer_id is not None)
        return known, self.keep_days, self.event_type is not None


def stronger(rule: RetentionRule, rules: Iterable[RetentionRule]) -> list[RetentionRule]:
    """Return the rules that apply in place of `rule` to some of its events.

    The rule with more conditions applies; of a rule for a type and one for a customer, the one that keeps for longer.
    """
    return [other for other in rules if other != rule and other.meets(rule) and other._rank() > rule._rank()]  # noqa: SLF001 - same class


def without_rule(rules: Iterable[RetentionRule], rule: RetentionRule) -> list[RetentionRule]:
    """Return `rules` without the one about the same events as `rule`."""
    about = (rule.event_type, rule.customer_id)
    return [each for each in rules if (each.event_type, each.customer_id) != about]


def with_rule(rules: Iterable[RetentionRule], rule: RetentionRule) -> list[RetentionRule]:
    """Return `rules` with `rule` in place of the one about the same events, if there is one."""
    return [*without_rule(rules, rule), rule]
