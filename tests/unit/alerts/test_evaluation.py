"""Evaluation of a rule: keys, what rules do not see, and what an alert says."""

from datetime import timedelta
from typing import Any

from core.alerts.evaluation import Evaluation
from core.domain.alert_rules import MAX_VALUES, AlertRule
from core.domain.models import Event
from core.ports.alert_rules import Memory, Result
from tests.support.alert_rules import NOW, START, happened, make_rule

SECRET = b"s" * 32


def run(rule: AlertRule, *events: Event, memories: dict[str, Memory] | None = None) -> Result:
    evaluation = Evaluation(rule, SECRET)
    return evaluation.count(evaluation.candidates(enumerate(events)), memories or {}, NOW)


def keys(result: Result) -> list[Any]:
    return [alert.event_data["key"] for alert in result.alerts]


def test_an_alert_says_which_rule_fired_for_which_events() -> None:
    rule = make_rule(group_by=["customer_id", "event_data.actor.id"], filter="event_type=user.login")
    events = [happened(n, n, event_data={"actor": {"id": "u"}}) for n in (1, 2, 3)]
    (alert,) = run(rule, *events).alerts
    assert (alert.event_type, alert.customer_id, alert.received_at) == ("audit-log.alert", 42, NOW)
    assert alert.event_data == {
        "subject": rule.rule_id,
        "name": "rule 1",
        "kind": "threshold",
        "key": {"customer_id": 42, "event_data.actor.id": "u"},
        "count": 3,
        "window_seconds": 60,
        "first": "2026-01-31T12:00:01Z",
        "last": "2026-01-31T12:00:03Z",
        "event_ids": [event.event_id for event in events],
    }
    assert run(rule, *events).alerts[0].event_id == alert.event_id


def test_keys_are_counted_apart_and_events_without_the_field_do_not_count() -> None:
    rule = make_rule(group_by=["event_data.size"], threshold=2)
    sizes: list[dict[str, Any]] = [{"size": s} for s in (1, True, "1", None, [1], 1.0, None)]
    result = run(rule, *(happened(n, n, event_data=data) for n, data in enumerate([*sizes, {"x": 1}, {"x": 2}])))
    assert keys(result) == [{"event_data.size": 1.0}, {"event_data.size": None}]


def test_one_event_makes_no_flood_of_alerts() -> None:
    rule = make_rule(kind="first_seen", path="event_data.ips[*]")
    result = run(
        rule, happened(1, 1, event_data={"ips": [{}, *range(5_000)]}), happened(2, 2, event_data={"ips": [9_999]})
    )
    assert [key["event_data.ips[*]"] for key in keys(result)] == [*range(MAX_VALUES), 9_999]


def test_a_rule_sees_neither_alerts_nor_other_customers_nor_what_its_filter_leaves_out() -> None:
    rule = make_rule(threshold=1, customers=[42], filter="event_data.a=1")
    unseen = [
        happened(1, 1, event_type="audit-log.alert", event_data={"a": 1}),
        happened(2, 2, customer_id=43, event_data={"a": 1}),
        happened(3, 3, event_data={"a": 2}),
    ]
    assert run(rule, *unseen) == Result({}, [])
    assert run(rule, happened(4, 4, event_data={"a": 1})).alerts[0].customer_id == 42


def test_an_alert_of_several_customers_belongs_to_the_service() -> None:
    assert run(make_rule(threshold=1, customers=[42, 43]), happened(1, 1)).alerts[0].customer_id == -1


def test_each_new_value_of_an_array_fires_once() -> None:
    rule = make_rule(kind="first_seen", path="event_data.ips[*]", group_by=["customer_id"])
    ips = {"ips": ["a", "b", "a", {"x": 1}]}
    result = run(rule, happened(1, 1, event_data=ips), happened(2, 2, event_data=ips))
    assert [key["event_data.ips[*]"] for key in keys(result)] == ["a", "b"]
    assert len({alert.event_id for alert in result.alerts}) == 2


def test_values_are_learned_silently_from_what_the_log_had() -> None:
    rule = make_rule(kind="first_seen", learns_until=2)
    events = [happened(n, n, event_data={"ip": ip}) for n, ip in enumerate(["a", "b", "a", "c"])]
    assert keys(run(rule, *events)) == [{"event_data.ip": "c"}]


def test_a_memory_knows_its_customer_until_it_has_events_of_several() -> None:
    rule = make_rule()
    one = run(rule, happened(1, 1))
    assert [memory.customer_id for memory in one.memories.values()] == [42]
    both = run(rule, happened(2, 2, customer_id=43), memories=dict(one.memories))
    assert [memory.customer_id for memory in both.memories.values()] == [None]


def test_a_rule_without_groups_waits_for_its_first_event_from_its_creation_on() -> None:
    evaluation = Evaluation(make_rule(kind="absence"), SECRET)
    assert evaluation.expire({}, START + 60, NOW) == Result({}, [])
    result = evaluation.expire({}, START + 61, NOW + timedelta(seconds=61))
    assert [alert.event_data["count"] for alert in result.alerts] == [0]
    assert evaluation.expire(result.memories, START + 600, NOW).alerts == []


def test_other_secrets_make_other_keys_and_ids() -> None:
    rule, event = make_rule(threshold=1), happened(1, 1)
    ids = set()
    for secret in (b"a", b"b"):
        evaluation = Evaluation(rule, secret)
        ids.add(evaluation.count(evaluation.candidates([(0, event)]), {}, NOW).alerts[0].event_id)
    assert len(ids) == 2
