"""Registration of alert rules: acts are recorded, limits of customers hold, and a change empties the memory."""

from typing import Any

import pytest
from sqlalchemy import Engine

from core.alerts.registry import AlertRuleRegistry
from core.domain.actors import Actor
from core.domain.alert_rules import AlertRuleDefinition
from core.domain.models import Event
from core.domain.queries import EventFilter
from core.errors import AlertRuleNotFoundError, InvalidFieldsError, VersionConflictError
from core.ports.feed import FeedRequest
from core.stores.alert_rules import SqlAlertRules
from core.stores.feed import SqlFeed
from tests.support.builders import event
from tests.support.fakes import FakeClock
from tests.support.streams import StoreEvents

OPERATOR = Actor("cli", is_operator=True)


@pytest.fixture
def registry(engine: Engine, rules: SqlAlertRules, clock: FakeClock) -> AlertRuleRegistry:
    return AlertRuleRegistry(rules, SqlFeed(engine), clock)


def define(**fields: Any) -> AlertRuleDefinition:
    kind = {"kind": "threshold", "threshold": 3, "window_seconds": 60}
    return AlertRuleDefinition.model_validate({"name": "logins", **kind, **fields})


def records(engine: Engine, store_events: StoreEvents) -> list[Event]:
    store_events()
    return [each for _, each in SqlFeed(engine).read(FeedRequest(EventFilter(), limit=100)).entries]


def test_each_act_is_an_event_of_the_only_customer_of_the_rule(
    engine: Engine, registry: AlertRuleRegistry, store_events: StoreEvents
) -> None:
    rule = registry.create(define(customers=[7]), OPERATOR)
    registry.pause(rule.rule_id, OPERATOR)
    registry.pause(rule.rule_id, OPERATOR)
    registry.resume(rule.rule_id, OPERATOR)
    registry.replace(registry.get(rule.rule_id, OPERATOR), define(customers=[7, 8]), OPERATOR)
    registry.delete(rule.rule_id, OPERATOR)
    found = records(engine, store_events)
    kinds = ["created", "paused", "resumed", "changed", "deleted"]
    assert [each.event_type for each in found] == [f"audit-log.alert-rule.{kind}" for kind in kinds]
    assert [each.customer_id for each in found] == [7, 7, 7, -1, -1]
    assert found[0].event_data == {
        "subject": rule.rule_id, "by": "cli", "name": "logins", "kind": "threshold", "filter": "", "group_by": [],
        "threshold": 3, "window_seconds": 60, "customers": [7],
    }  # fmt: skip
    assert registry.rules(OPERATOR) == []


@pytest.mark.parametrize(("actor", "customers"), [(OPERATOR, [7, 7]), (Actor("client", (7, 7)), None)])
def test_a_customer_that_is_named_twice_is_one(
    registry: AlertRuleRegistry, engine: Engine, store_events: StoreEvents, actor: Actor, customers: list[int] | None
) -> None:
    assert registry.create(define(customers=customers), actor).customers == (7,)
    assert [each.customer_id for each in records(engine, store_events)] == [7]


def test_a_limited_token_sees_and_makes_only_rules_of_its_customers(registry: AlertRuleRegistry) -> None:
    limited = Actor("client", (7, 8))
    everything = registry.create(define(name="all"), OPERATOR)
    other = registry.create(define(name="other", customers=[7, 9]), OPERATOR)
    own = registry.create(define(customers=[7]), OPERATOR)
    assert registry.rules(limited) == [own]
    for hidden in (everything, other):
        with pytest.raises(AlertRuleNotFoundError):
            registry.pause(hidden.rule_id, limited)
    assert registry.create(define(name="mine"), limited).customers == (7, 8)
    with pytest.raises(InvalidFieldsError) as refused:
        registry.create(define(name="not mine", customers=[9]), limited)
    assert refused.value.errors == [{"loc": ["customers"], "msg": "must be customers that the token is limited to"}]


def test_a_rule_begins_at_the_end_of_the_log_and_first_seen_learns_what_is_there(
    registry: AlertRuleRegistry, store_events: StoreEvents
) -> None:
    store_events(event(1), event(2))
    made = registry.create(define(), OPERATOR)
    new_values = AlertRuleDefinition(name="new", kind="first_seen", path="event_type")
    learning = registry.create(new_values, OPERATOR)
    assert (made.position, made.learns_until) == (2, 0)
    assert (learning.position, learning.learns_until) == (0, 2)


def test_a_change_begins_at_the_end_unless_only_the_name_changes(
    registry: AlertRuleRegistry, store_events: StoreEvents
) -> None:
    rule = registry.create(define(), OPERATOR)
    store_events(event(1))
    renamed = registry.replace(rule, define(name="failed logins"), OPERATOR)
    assert (renamed.name, renamed.position) == ("failed logins", 0)
    assert registry.replace(renamed, define(threshold=4), OPERATOR).position > 0


def test_a_change_of_an_older_version_is_refused(registry: AlertRuleRegistry) -> None:
    rule = registry.create(define(), OPERATOR)
    registry.pause(rule.rule_id, OPERATOR)
    with pytest.raises(VersionConflictError):
        registry.replace(rule, define(threshold=4), OPERATOR)
