"""Alert rules on every database: changes with their records, and memories, places and alerts in one transaction."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from core.alerts.evaluation import Evaluation
from core.domain.alert_rules import AlertRule
from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.errors import AlertRuleNotFoundError, NameTakenError, TooManyAlertRulesError, VersionConflictError
from core.ports.alert_rules import Memory, Result, RuleStep
from core.stores.alert_memory import SqlAlertMemory
from core.stores.alert_rules import SqlAlertRules
from core.stores.erasing import Eraser, Request, Selection
from core.stores.schema import alert_memory
from core.stores.sql import SqlEventStore
from tests.support.alert_rules import NOW, happened, make_rule
from tests.support.streams import record

LATER = NOW + timedelta(milliseconds=1)
SECRET = b"s" * 32


@pytest.fixture
def rules(engine: Engine) -> SqlAlertRules:
    return SqlAlertRules(engine)


@pytest.fixture
def memory(engine: Engine) -> SqlAlertMemory:
    return SqlAlertMemory(engine)


def held(rules: SqlAlertRules, memory: SqlAlertMemory, **fields: Any) -> AlertRule:
    """A rule that `me` holds."""
    rule = make_rule(**fields)
    rules.add_rule(rule, record())
    (seen,) = [lease for lease in memory.active() if lease.rule.rule_id == rule.rule_id]
    assert memory.take(seen, "me")
    return rule


def step(rule: AlertRule, *events: Event, position: int = 1) -> RuleStep:
    evaluation = Evaluation(rule, SECRET)
    found = evaluation.candidates(enumerate(events))
    keys = frozenset(candidate.key for candidate in found)
    return RuleStep(rule, position, keys, evaluate=lambda memories: evaluation.count(found, memories, NOW))


def remembered(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(alert_memory)).scalar_one()


def test_a_rule_is_read_as_it_was_added(rules: SqlAlertRules, sql_store: SqlEventStore) -> None:
    rule = make_rule(
        name="über 🌊", filter="event_data.größe[gte]=5", customers=[1, -(2**63)], group_by=["customer_id"],
        position=2**53, last_alert_at=LATER,
    )  # fmt: skip
    created = record("alert-rule.created")
    rules.add_rule(rule, created)
    assert rules.rules() == [rule]
    assert rules.rule(rule.rule_id) == rule
    assert sql_store.get(created.event_id) == created


def test_an_unknown_rule_is_reported(rules: SqlAlertRules) -> None:
    rule = make_rule()
    for attempt in (
        lambda: rules.rule(rule.rule_id),
        lambda: rules.change_rule(rule, record()),
        lambda: rules.delete_rule(rule, record()),
    ):
        with pytest.raises(AlertRuleNotFoundError):
            attempt()


def test_a_name_that_is_taken_is_refused_and_nothing_is_recorded(
    rules: SqlAlertRules, sql_store: SqlEventStore
) -> None:
    rules.add_rule(make_rule(1, name="logins"), record())
    rules.add_rule(make_rule(2, name="LOGINS"), record())
    refused = record()
    with pytest.raises(NameTakenError):
        rules.add_rule(make_rule(3, name="logins"), refused)
    with pytest.raises(NameTakenError):
        rules.change_rule(make_rule(2, name="logins"), refused)
    assert sql_store.get(refused.event_id) is None


def test_a_name_says_nothing_about_rules_of_other_customers(rules: SqlAlertRules) -> None:
    for number, customers in enumerate([None, [1], [2], [1, 2]]):
        rules.add_rule(make_rule(number, name="siem", customers=customers), record())
    with pytest.raises(NameTakenError):
        rules.add_rule(make_rule(4, name="siem", customers=[2, 1]), record())
    assert [each.name for each in rules.rules()] == ["siem"] * 4


def test_more_rules_than_allowed_are_refused(engine: Engine, sql_store: SqlEventStore) -> None:
    rules, refused = SqlAlertRules(engine, most=1), record()
    rules.add_rule(make_rule(1), record())
    with pytest.raises(TooManyAlertRulesError):
        rules.add_rule(make_rule(2), refused)
    assert sql_store.get(refused.event_id) is None


def test_a_change_of_an_older_version_is_refused_and_not_recorded(
    rules: SqlAlertRules, sql_store: SqlEventStore
) -> None:
    rule, refused = make_rule(), record()
    rules.add_rule(rule, record())
    assert rules.change_rule(rule.model_copy(update={"state": "paused"}), record()).version == 2
    with pytest.raises(VersionConflictError):
        rules.change_rule(rule, refused)
    with pytest.raises(VersionConflictError):
        rules.delete_rule(rule, refused)
    assert sql_store.get(refused.event_id) is None


def test_memory_place_and_alert_are_stored_together(
    rules: SqlAlertRules, memory: SqlAlertMemory, sql_store: SqlEventStore
) -> None:
    rule = held(rules, memory)
    (now,) = memory.commit([step(rule, happened(1, 1), happened(2, 2))], "me").values()
    assert (now.position, now.last_alert_at) == (1, None)
    (now,) = memory.commit([step(now, happened(3, 3), position=2)], "me").values()
    assert (now.position, now.last_alert_at) == (2, NOW)
    assert rules.rule(rule.rule_id) == now
    (alert,) = _alerts(sql_store)
    assert [sql_store.get(alert.event_id)] == [alert]
    assert len(alert.event_data["event_ids"]) == 3


def test_a_failure_in_between_leaves_memory_place_and_alerts_as_they_were(
    engine: Engine, rules: SqlAlertRules, memory: SqlAlertMemory, sql_store: SqlEventStore
) -> None:
    rule, other = held(rules, memory, threshold=1), held(rules, memory, number=2)

    def crash(_memories: object) -> Result:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        memory.commit([step(rule, happened(1, 1)), RuleStep(other, 1, evaluate=crash)], "me")
    assert rules.rule(rule.rule_id) == rule
    assert remembered(engine) == 0
    assert _alerts(sql_store) == []


@pytest.mark.parametrize("lost", ["holder", "version", "position"])
def test_a_process_that_was_overtaken_stores_nothing(
    engine: Engine, rules: SqlAlertRules, memory: SqlAlertMemory, sql_store: SqlEventStore, lost: str
) -> None:
    rule, other = held(rules, memory, threshold=1), held(rules, memory, number=2)
    match lost:
        case "holder":
            assert memory.take(memory.active()[0], "another")
        case "version":
            rules.change_rule(rule, record())
        case "position":
            memory.commit([RuleStep(rule, 1)], "me")
    committed = memory.commit([step(rule, happened(1, 1)), RuleStep(other, 1)], "me")
    assert list(committed) == [other.rule_id]
    assert remembered(engine) == 0
    assert _alerts(sql_store) == []


def test_one_of_two_that_saw_the_same_takes_the_rule(rules: SqlAlertRules, memory: SqlAlertMemory) -> None:
    rules.add_rule(make_rule(), record())
    (seen,) = memory.active()
    assert [memory.take(seen, "one"), memory.take(seen, "other")] == [True, False]
    memory.beat("one")
    (now,) = memory.active()
    assert (now.holder, now.beat) == ("one", 2)
    memory.release(now.rule.rule_id, "other")
    assert memory.active()[0].holder == "one"
    memory.release(now.rule.rule_id, "one")
    assert memory.active()[0].holder is None


def test_the_keys_with_the_oldest_events_are_forgotten_and_counted(engine: Engine, rules: SqlAlertRules) -> None:
    memory = SqlAlertMemory(engine, most=3)
    rule = held(rules, memory, kind="first_seen")
    many = (happened(n, n, event_data={"ip": str(n)}) for n in range(1, 6))
    (now,) = memory.commit([step(rule, *many)], "me").values()
    assert (now.forgotten, remembered(engine)) == (2, 3)
    result = memory.commit([step(now, happened(9, 9, event_data={"ip": "5"}), position=2)], "me")
    assert result[rule.rule_id].forgotten == 2


def test_a_rule_that_restarts_has_no_memory(engine: Engine, rules: SqlAlertRules, memory: SqlAlertMemory) -> None:
    rule = held(rules, memory)
    memory.commit([step(rule, happened(1, 1), position=5)], "me")
    assert rules.change_rule(rule, record()).position == 5
    assert remembered(engine) == 1
    newer = rule.model_copy(update={"version": 2, "position": 7})
    assert rules.change_rule(newer, record(), restarts=True).position == 7
    assert remembered(engine) == 0


def test_a_deleted_rule_leaves_no_memory(engine: Engine, rules: SqlAlertRules, memory: SqlAlertMemory) -> None:
    rule = held(rules, memory)
    memory.commit([step(rule, happened(1, 1))], "me")
    rules.delete_rule(rule, record())
    assert (rules.rules(), remembered(engine)) == ([], 0)


def test_memories_are_found_by_key_and_by_the_time_of_their_newest_event(
    rules: SqlAlertRules, memory: SqlAlertMemory
) -> None:
    rule = held(rules, memory, kind="absence", group_by=["event_data.ip"])
    events = [happened(n, n, event_data={"ip": str(n)}) for n in range(600)]
    (now,) = memory.commit([step(rule, *events)], "me").values()
    found: list[int] = []

    def look(memories: Iterable[str]) -> Result:
        found.append(len(list(memories)))
        return Result({}, [])

    keys = frozenset(candidate.key for candidate in Evaluation(rule, SECRET).candidates(enumerate(events)))
    start = int(NOW.timestamp())
    for keys_of_step, before in ((keys, None), (frozenset[str](), start + 10), (frozenset[str](), None)):
        (now,) = memory.commit([RuleStep(now, now.position + 1, keys_of_step, before, look)], "me").values()
    assert found == [600, 10, 0]


def test_erasing_a_customer_empties_the_memories_of_that_customer(
    engine: Engine, rules: SqlAlertRules, memory: SqlAlertMemory, sql_store: SqlEventStore
) -> None:
    by_customer = held(rules, memory, number=1, group_by=["customer_id"])
    mixed = held(rules, memory, number=2)
    waiting = held(rules, memory, number=3, kind="absence", group_by=["event_data.ip"])
    ip: dict[str, Any] = {"event_data": {"ip": "192.0.2.1"}}
    events = [happened(1, 1, customer_id=42, **ip), happened(2, 2, customer_id=43, **ip)]
    sql_store.add(events)
    memory.commit([step(rule, *events) for rule in (by_customer, mixed, waiting)], "me")
    assert remembered(engine) == 4
    request = Request(Selection(customer_id=42), whole=False, reason="request", by="tests")
    assert Eraser(engine).erase(request, at=NOW + timedelta(days=1), progress=lambda _: None)[0] == 1
    found: list[Memory] = []

    def look(memories: dict[str, Memory]) -> Result:
        found.extend(memories.values())
        return Result({}, [])

    end = int(NOW.timestamp()) + 100
    for rule in rules.rules():
        memory.commit([RuleStep(rule, 2, before=end, evaluate=look)], "me")  # type: ignore[arg-type]
    assert [each.customer_id for each in found] == [43, None]


def _alerts(store: SqlEventStore) -> list[Event]:
    found = store.find_page(EventFilter(event_types=("audit-log.alert",)), PageRequest())
    return list(found.events)
