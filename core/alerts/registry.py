"""Registration of alert rules: what people do with them, each act stored together with its audit event.

A token that is limited to customers sees only the rules that are limited to some of these, and makes no others.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from core.domain.actors import Actor
from core.domain.alert_rules import MAX_LIMITED_RULES, AlertRule, AlertRuleDefinition, RuleState
from core.domain.audit_events import audit_event
from core.domain.clock import Clock
from core.domain.models import SYSTEM_CUSTOMER, Event
from core.domain.versions import change_newest
from core.errors import AlertRuleNotFoundError, FieldError, InvalidFieldsError, TooManyAlertRulesError
from core.ports.alert_rules import AlertRuleAdmin
from core.ports.feed import FeedReader


class AlertRuleRegistry:
    """Changes alert rules. Every method may raise StoreUnavailableError: nothing was changed, try again later."""

    def __init__(self, store: AlertRuleAdmin, feed: FeedReader, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    def rules(self, actor: Actor) -> list[AlertRule]:
        """Return the rules that the actor may see, the oldest first."""
        return [rule for rule in self._store.rules() if actor.may_see(rule.customers)]

    def get(self, rule_id: str, actor: Actor) -> AlertRule:
        """Return one rule.

        Raises:
            AlertRuleNotFoundError: there is none with this id, or the actor may not see it.
        """
        rule = self._store.rule(rule_id)
        if not actor.may_see(rule.customers):
            raise AlertRuleNotFoundError("There is no such alert rule.")
        return rule

    def create(self, definition: AlertRuleDefinition, actor: Actor) -> AlertRule:
        """Register a rule, which counts events from the end of the log on. One of the kind first_seen learns the rest.

        Raises:
            InvalidFieldsError: the customers are not among those of the actor.
            NameTakenError: another rule has the name.
            TooManyAlertRulesError: there are too many.
        """
        now = self._now()
        definition = self.limited(definition, actor)
        if actor.customers is not None and len(self.rules(actor)) >= MAX_LIMITED_RULES:
            raise TooManyAlertRulesError(
                f"These customers have {MAX_LIMITED_RULES} alert rules already: delete one first."
            )
        rule = AlertRule(
            **dict(definition),
            rule_id=f"rule-{secrets.token_hex(8)}",
            **self._start(definition),
            created_at=now,
            changed_at=now,
        )
        self._store.add_rule(rule, self._record("created", rule, actor))
        return rule

    def replace(self, rule: AlertRule, definition: AlertRuleDefinition, actor: Actor) -> AlertRule:
        """Replace the definition of a rule. Unless only its name changes, its memory is emptied.

        Raises:
            InvalidFieldsError, NameTakenError: see `create`.
            VersionConflictError: it was changed since it was read.
        """
        definition = self.limited(definition, actor)
        same = rule.model_copy(update={"name": definition.name})
        restarts = any(getattr(same, name) != value for name, value in definition)
        fields = {**dict(definition), **(self._start(definition) if restarts else {}), "changed_at": self._now()}
        changed = rule.model_copy(update=fields)
        return self._store.change_rule(changed, self._record("changed", changed, actor), restarts=restarts)

    def pause(self, rule_id: str, actor: Actor) -> AlertRule:
        """Stop the evaluation; the place is kept. Raises AlertRuleNotFoundError, see `get`."""
        return self._set_state(rule_id, actor, "paused", "paused")

    def resume(self, rule_id: str, actor: Actor) -> AlertRule:
        """Evaluate again, from the place where the rule stopped. Raises AlertRuleNotFoundError, see `get`."""
        return self._set_state(rule_id, actor, "active", "resumed")

    def delete(self, rule_id: str, actor: Actor) -> None:
        """Delete a rule and its memory. Raises AlertRuleNotFoundError, see `get`."""

        def act(rule: AlertRule) -> AlertRule:
            self._store.delete_rule(rule, self._record("deleted", rule, actor))
            return rule

        self._retried(rule_id, actor, act)

    @staticmethod
    def limited(definition: AlertRuleDefinition, actor: Actor) -> AlertRuleDefinition:
        """Return a definition with the customers that the actor limits it to.

        Raises:
            InvalidFieldsError: it names others.
        """
        try:
            return definition.model_copy(update={"customers": actor.limited(definition.customers)})
        except ValueError as exc:
            errors = [FieldError(loc=["customers"], msg=str(exc))]
            raise InvalidFieldsError("The alert rule is invalid: see errors.", errors) from None

    def _start(self, definition: AlertRuleDefinition) -> dict[str, Any]:
        end = self._feed.size()
        return {"position": 0, "learns_until": end} if definition.kind == "first_seen" else {"position": end}

    def _set_state(self, rule_id: str, actor: Actor, state: RuleState, kind: str) -> AlertRule:
        def act(rule: AlertRule) -> AlertRule:
            if rule.state == state:
                return rule
            changed = rule.model_copy(update={"state": state, "changed_at": self._now()})
            return self._store.change_rule(changed, self._record(kind, rule, actor))

        return self._retried(rule_id, actor, act)

    def _retried(self, rule_id: str, actor: Actor, act: Callable[[AlertRule], AlertRule]) -> AlertRule:
        return change_newest(lambda: self.get(rule_id, actor), act)

    def _record(self, kind: str, rule: AlertRule, actor: Actor) -> Event:
        """Build the event `audit-log.alert-rule.KIND`, of the customer of the rule if that is exactly one."""
        facts = rule.model_dump(mode="json", include=set(AlertRuleDefinition.model_fields), exclude_none=True)
        record = audit_event(f"alert-rule.{kind}", rule.rule_id, at=self._now(), by=actor.name, **facts)
        customers = rule.customers or ()
        customer = customers[0] if len(customers) == 1 else SYSTEM_CUSTOMER
        return record.model_copy(update={"customer_id": customer})

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
