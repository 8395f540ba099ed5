"""Evaluator on a log: each event counts once, one process evaluates, and absence is judged at the end of the log."""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from core.alerts.evaluation import Evaluation
from core.alerts.evaluator import Evaluator
from core.alerts.preview import preview
from core.domain.alert_rules import AlertRule, AlertRuleDefinition
from core.domain.models import Event
from core.domain.queries import EventFilter
from core.ports.alert_rules import AlertMemory, Result, RuleStep
from core.ports.feed import FeedRequest
from core.stores.alert_memory import SqlAlertMemory
from core.stores.alert_rules import SqlAlertRules
from core.stores.feed import SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.sql import SqlEventStore
from tests.support import databases
from tests.support.alert_rules import NOW, happened, make_rule
from tests.support.fakes import FakeClock
from tests.support.streams import StoreEvents, record

NewEvaluator = Callable[[], Evaluator]


def alerts(engine: Engine) -> list[Event]:
    while Ledger(engine).integrate():
        pass
    wanted = EventFilter(event_types=("audit-log.alert",))
    return [event for _, event in SqlFeed(engine).read(FeedRequest(wanted, limit=1000)).entries]


def ip(number: int, second: int, value: str) -> Event:
    return happened(number, second, event_data={"ip": value})


def test_an_alert_is_an_event_of_the_log(
    engine: Engine, rules: SqlAlertRules, new_evaluator: NewEvaluator, store_events: StoreEvents
) -> None:
    rules.add_rule(make_rule(), record())
    store_events(*(happened(n, n) for n in range(3)))
    new_evaluator().round()
    assert [alert.event_data["count"] for alert in alerts(engine)] == [3]


def test_rules_that_lag_catch_up_and_share_the_place(
    rules: SqlAlertRules, new_evaluator: NewEvaluator, store_events: StoreEvents
) -> None:
    store_events(*(happened(n, n) for n in range(20)))
    for number, position in ((1, 0), (2, 7), (3, 20)):
        rules.add_rule(make_rule(number, position=position), record())
    evaluator = new_evaluator()
    store_events()
    evaluator.round()
    assert set(evaluator.held.values()) == {23}


def test_only_one_process_evaluates(
    rules: SqlAlertRules, new_evaluator: NewEvaluator, store_events: StoreEvents
) -> None:
    one, other = new_evaluator(), new_evaluator()
    rules.add_rule(make_rule(2), record())
    one.round()
    rules.add_rule(make_rule(1), record())
    store_events()
    other.round()
    one.round()
    assert (len(one.held), len(other.held)) == (2, 0)
    one.close()
    other.round()
    assert len(other.held) == 2


def test_the_rules_of_a_process_that_died_are_taken_over_after_the_lease(
    engine: Engine,
    clock: FakeClock,
    rules: SqlAlertRules,
    new_evaluator: NewEvaluator,
    store_events: StoreEvents,
) -> None:
    dead, other = new_evaluator(), new_evaluator()
    rules.add_rule(make_rule(), record())
    store_events(happened(1, 1), happened(2, 2))
    dead.round()
    other.round()
    clock.now += 29
    other.round()
    assert not other.held
    clock.now += 1
    store_events(happened(3, 3))
    other.round()
    assert [alert.event_data["count"] for alert in alerts(engine)] == [3]
    dead.round()
    assert not dead.held


def test_a_rule_that_was_changed_is_evaluated_as_it_is_then(
    engine: Engine, rules: SqlAlertRules, new_evaluator: NewEvaluator, store_events: StoreEvents
) -> None:
    evaluator, rule = new_evaluator(), make_rule()
    rules.add_rule(rule, record())
    evaluator.round()
    paused = rules.change_rule(rule.model_copy(update={"state": "paused"}), record())
    store_events(*(happened(n, n) for n in range(3)))
    evaluator.round()
    assert alerts(engine) == []
    rules.change_rule(paused.model_copy(update={"state": "active"}), record())
    evaluator.round()
    assert len(alerts(engine)) == 1


def test_absence_fires_once_after_the_window_and_again_after_an_event(
    engine: Engine,
    clock: FakeClock,
    rules: SqlAlertRules,
    new_evaluator: NewEvaluator,
    store_events: StoreEvents,
) -> None:
    rules.add_rule(make_rule(kind="absence", filter="event_type=user.login"), record())
    evaluator = new_evaluator()
    found = []
    for second, number in ((0, 1), (61, 0), (100, 0), (150, 2), (200, 0), (211, 0), (400, 0)):
        clock.now = NOW.timestamp() + second
        if number:
            store_events(happened(number, second))
        else:
            store_events()
        evaluator.round()
        found.append(len(alerts(engine)))
    assert found == [0, 1, 1, 1, 1, 2, 2]


def test_absence_does_not_fire_while_events_wait_in_a_queue(
    engine: Engine,
    clock: FakeClock,
    rules: SqlAlertRules,
    new_evaluator: NewEvaluator,
    store_events: StoreEvents,
) -> None:
    rules.add_rule(make_rule(kind="absence", filter="event_data.ip=beat"), record(at=NOW))
    store_events(ip(1, 0, "beat"), ip(2, 50, "other"))
    clock.now += 105
    evaluator = new_evaluator()
    evaluator.round()
    assert alerts(engine) == []
    store_events(ip(3, 59, "beat"), ip(4, 104, "other"))
    evaluator.round()
    clock.now += 10
    evaluator.round()
    assert alerts(engine) == []


def test_the_place_of_a_rule_that_counts_nothing_is_stored_within_seconds(
    clock: FakeClock, rules: SqlAlertRules, new_evaluator: NewEvaluator, store_events: StoreEvents
) -> None:
    rules.add_rule(make_rule(filter="event_type=never"), record())
    store_events()
    evaluator = new_evaluator()
    evaluator.round()
    assert (rules.rules()[0].position, set(evaluator.held.values())) == (0, {1})
    clock.now += 10
    evaluator.round()
    assert rules.rules()[0].position == 1


def test_a_place_beyond_the_end_of_a_restored_log_moves_back(
    rules: SqlAlertRules, new_evaluator: NewEvaluator, store_events: StoreEvents, caplog: pytest.LogCaptureFixture
) -> None:
    rules.add_rule(make_rule(position=500), record())
    store_events()
    evaluator = new_evaluator()
    evaluator.round()
    assert set(evaluator.held.values()) == {1}
    assert "alert_rules_beyond_the_end" in caplog.text


@pytest.mark.parametrize("kind", ["threshold", "first_seen"])
def test_a_preview_says_what_fires(  # noqa: PLR0917 - fixtures
    engine: Engine,
    clock: FakeClock,
    rules: SqlAlertRules,
    new_evaluator: NewEvaluator,
    store_events: StoreEvents,
    kind: str,
) -> None:
    store_events(*(ip(n, n * 7, str(n % 13)) for n in range(40)))
    learns_until = 20 if kind == "first_seen" else 0
    rule = make_rule(kind=kind, learns_until=learns_until)
    definition = AlertRuleDefinition.model_validate(rule.model_dump(include=set(AlertRuleDefinition.model_fields)))
    shown = preview(definition, SqlFeed(engine), clock)
    rules.add_rule(rule, record())
    store_events()
    new_evaluator().round()
    fired = [alert.event_data for alert in alerts(engine)]
    assert (shown.entries, shown.matched, shown.alert_count) == (40, 40, len(fired))
    assert [{**each, "subject": rule.rule_id} for each in shown.alerts] == fired


def test_a_preview_of_absence_fires_where_the_next_event_came_too_late_and_at_the_end(
    engine: Engine, clock: FakeClock, store_events: StoreEvents
) -> None:
    store_events(*(happened(n, second) for n, second in enumerate((0, 60, 200, 210))))
    clock.now += 300
    definition = AlertRuleDefinition(name="beat", kind="absence", window_seconds=60)
    shown = preview(definition, SqlFeed(engine), clock)
    assert [each["last"][-9:] for each in shown.alerts] == ["12:01:00Z", "12:03:30Z"]


def test_a_preview_shows_the_first_alerts_and_counts_all(
    engine: Engine, clock: FakeClock, store_events: StoreEvents
) -> None:
    store_events(*(happened(n, n, event_data={"ids": list(range(80 * n, 80 * n + 80))}) for n in range(6)))
    definition = AlertRuleDefinition(name="ids", kind="first_seen", path="event_data.ids[*]")
    shown = preview(definition, SqlFeed(engine), clock)
    assert (shown.entries, shown.matched, shown.alert_count, len(shown.alerts)) == (6, 480, 240, 100)
    assert shown.alerts[0]["key"] == {"event_data.ids[*]": 240}


def test_a_preview_ends_after_its_time_with_what_it_has_looked_at(
    engine: Engine, clock: FakeClock, store_events: StoreEvents
) -> None:
    store_events(*(happened(n, n, event_data={"text": "x" * 200_000}) for n in range(20)))
    clock.now += 300
    definition = AlertRuleDefinition(name="beat", kind="absence", window_seconds=60)
    shown = preview(definition, SqlFeed(engine), clock, seconds=0)
    assert 0 < shown.entries < 20
    assert shown.alert_count == 0  # how long it was silent at the end is not known
    assert preview(definition, SqlFeed(engine), clock).alert_count == 1


def test_a_preview_forgets_the_oldest_keys_like_a_rule_that_is_stored(
    engine: Engine, clock: FakeClock, store_events: StoreEvents
) -> None:
    def values(number: int, first: int) -> Event:
        return happened(number, number, event_data={"ids": list(range(first, first + 100))})

    store_events(*(values(n, n * 100) for n in range(300)), values(300, 0), values(301, 29_900))
    definition = AlertRuleDefinition(name="ids", kind="first_seen", path="event_data.ids[*]")
    shown = preview(definition, SqlFeed(engine), clock)
    assert shown.alert_count == (300 - 302 // 2 + 1) * 100


class CrashingMemory:
    """Ends some transactions by an error, as the end of a process does."""

    def __init__(self, memory: AlertMemory, crashes: list[bool]) -> None:
        self._memory = memory
        self._crashes = crashes

    def commit(self, steps: list[RuleStep], holder: str) -> dict[str, AlertRule]:
        crashes = bool(self._crashes) and self._crashes.pop()

        def last(step: RuleStep) -> RuleStep:
            def evaluate(memories: Any) -> Result:
                result = step.evaluate(memories)
                if crashes:
                    raise ConnectionResetError
                return result

            return step._replace(evaluate=evaluate)

        return self._memory.commit([*steps[:-1], last(steps[-1])], holder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)


@settings(max_examples=15)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3)), max_size=12), max_size=5),
    st.lists(st.booleans(), max_size=8),
)
def test_alerts_with_crashes_equal_counting_without_any(
    batches: list[list[tuple[int, int]]], crashes: list[bool]
) -> None:
    stored = [
        [ip(100 * b + n, second, str(value)) for n, (second, value) in enumerate(batch)]
        for b, batch in enumerate(batches)
    ]
    made = [make_rule(1, group_by=["event_data.ip"], threshold=2), make_rule(2, kind="first_seen")]
    with TemporaryDirectory() as folder, databases.opened(f"sqlite:///{folder}/log.db") as engine:
        databases.copy_migrated(engine.url)
        memory: Any = CrashingMemory(SqlAlertMemory(engine), crashes)
        clock = FakeClock(NOW.timestamp())
        for rule in made:
            SqlAlertRules(engine).add_rule(rule, record())
        evaluator = Evaluator(SqlFeed(engine), memory, clock, clock=clock)
        for batch in stored:
            SqlEventStore(engine).add(batch)
            while Ledger(engine).integrate():
                pass
            for _ in range(len(crashes) + 1):
                try:
                    evaluator.round()
                    break
                except ConnectionResetError:
                    clock.now += 30
                    evaluator = Evaluator(SqlFeed(engine), memory, clock, clock=clock)
                    evaluator.round()
                    clock.now += 30
        evaluator.round()
        secret = SqlFeed(engine).cursor_key()
        events = [(n, event) for n, event in enumerate(event for batch in stored for event in batch)]
        expected = [
            alert.event_id
            for rule in made
            for evaluation in [Evaluation(rule, secret)]
            for alert in evaluation.count(evaluation.candidates(events), {}, NOW).alerts
        ]
        assert sorted(alert.event_id for alert in alerts(engine)) == sorted(expected)
