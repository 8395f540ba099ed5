"""Ports of alert rules: their registration, and what their evaluation changes."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from core.domain.models import Event

if TYPE_CHECKING:
    from core.domain.alert_rules import AlertRule


class Memory(NamedTuple):
    """What a rule remembers of a key."""

    data: dict[str, Any]
    """JSON; `core.alerts` has its form for each kind."""
    at: int
    """Unix second of the newest event."""
    customer_id: int | None
    """Customer of its events; None if they are of several."""


class Result(NamedTuple):
    """What an evaluation changes."""

    memories: Mapping[str, Memory]
    """The changed ones, by key."""
    alerts: list[Event]


class RuleLease(NamedTuple):
    """A rule and the process that evaluates it, see `core.domain.leases`."""

    rule: "AlertRule"
    holder: str | None
    beat: int


class RuleStep(NamedTuple):
    """Evaluation of entries of the log by one rule, which moves it behind them."""

    rule: "AlertRule"
    """As it is stored: its place, and its version, must be the same still."""
    position: int
    keys: frozenset[str] = frozenset()
    """Keys whose memories are needed."""
    before: int | None = None
    """Needed are also the memories whose newest event is before this Unix second."""
    evaluate: Callable[[Mapping[str, Memory]], Result] = lambda _memories: Result({}, [])
    """Called inside of the transaction with the memories by key: it does no I/O."""


class AlertRuleAdmin(Protocol):
    """Registers alert rules. Each change is stored together with the event that records it, or not at all.

    All methods raise StoreUnavailableError: nothing was changed, and trying again later helps.
    """

    def rules(self) -> "list[AlertRule]":
        """Return all rules, the oldest first."""

    def rule(self, rule_id: str) -> "AlertRule":
        """Return one rule.

        Raises:
            AlertRuleNotFoundError: no rule has this id.
        """

    def add_rule(self, rule: "AlertRule", record: Event) -> None:
        """Store a new rule.

        Raises:
            NameTakenError: another rule has the name.
            TooManyAlertRulesError: there are `MAX_RULES` already.
        """

    def change_rule(self, rule: "AlertRule", record: Event, *, restarts: bool = False) -> "AlertRule":
        """Replace definition and state of a rule, and return it with the next version.

        If it restarts, its memory is emptied, and its place is that of `rule`; else its evaluation continues.

        Raises:
            AlertRuleNotFoundError: no rule has this id.
            VersionConflictError: its version is not that of `rule` any more.
            NameTakenError: another rule has the name.
        """

    def delete_rule(self, rule: "AlertRule", record: Event) -> None:
        """Delete a rule and its memory.

        Raises:
            AlertRuleNotFoundError: no rule has this id.
            VersionConflictError: its version is not that of `rule` any more.
        """


class AlertMemory(Protocol):
    """Changes by the evaluation. All methods raise StoreUnavailableError, see `AlertRuleAdmin`."""

    def active(self) -> Sequence[RuleLease]:
        """Return all active rules in the order of their ids."""

    def take(self, seen: RuleLease, holder: str) -> bool:
        """Take over a rule unless its holder, beat or version has changed since it was seen."""

    def beat(self, holder: str) -> None:
        """Show that a process lives."""

    def release(self, rule_id: str, holder: str) -> None:
        """Let a rule go, so that the next process need not wait."""

    def commit(self, steps: Sequence[RuleStep], holder: str) -> "dict[str, AlertRule]":
        """Evaluate steps, and store memories, places and alerts in one transaction.

        Returns the rules as they are now, by id. Left out are those that this process does not hold any more, or that
        were changed or moved meanwhile: nothing of them was stored.
        """
