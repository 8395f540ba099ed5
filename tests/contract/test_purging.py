"""Retention: what the rules say goes, with all that belongs to it, and nothing else, on each database."""

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select

from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.domain.reconciliation import Window, minute_of
from core.domain.retention import RetentionRule
from core.errors import PurgeRefusedError, RuleNotFoundError
from core.ports.queue import QueueStatistics
from core.ports.retention import Purged
from core.ports.store import Outcome
from core.stores import partitions, purging
from core.stores.erasing import Eraser, Request, Selection
from core.stores.event_counters import ACCEPTED, SqlEventCounters
from core.stores.holds import Hold, place, release
from core.stores.purging import plan, purge
from core.stores.reconciliation import reconcile, rows_received
from core.stores.retention_rules import read_rules, remove_rule, set_rule
from core.stores.schema import dropped_months, erasures, event_counters, events, holds, retention_rules
from core.stores.sql import SqlEventStore
from tests.support.builders import event
from tests.support.waiting import SECONDS

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
ALL = RetentionRule(None, None, 30)


def days(number: float) -> int:
    """The time so many days ago, in Unix seconds."""
    return int((NOW - timedelta(days=number)).timestamp())


@pytest.fixture(params=["sqlite_store", "postgresql_store", "mariadb_store"])
def store(request: pytest.FixtureRequest) -> SqlEventStore:
    found: SqlEventStore = request.getfixturevalue(request.param)
    with found._engine.begin() as connection:  # noqa: SLF001 - the test's own
        connection.execute(retention_rules.delete())
        connection.execute(dropped_months.delete())
        connection.execute(event_counters.delete())
    return found


@pytest.fixture
def engine(store: SqlEventStore) -> Engine:
    return store._engine  # noqa: SLF001 - the test's own


def put(store: SqlEventStore, *rows: tuple[str, int, float]) -> list[Event]:
    """Store events of types, customers and ages in days."""
    made = [
        event(number, event_type=kind, customer_id=customer, timestamp_utc=days(age), event_data={"n": number})
        for number, (kind, customer, age) in enumerate(rows)
    ]
    assert store.add(made) == [Outcome.STORED] * len(made)
    return made


def left(store: SqlEventStore) -> list[int]:
    """Numbers of the events of clients that are stored."""
    found = store.find_page(EventFilter(), PageRequest(order="asc", limit=1000)).events
    return sorted(each.event_data["n"] for each in found if each.customer_id != -1)


def recorded(store: SqlEventStore) -> Counter[str]:
    found = store.find_page(EventFilter(event_types=("audit-log.events.dropped",)), PageRequest(limit=1000)).events
    counts: Counter[str] = Counter()
    for each in found:
        counts[each.event_data["month"]] += each.event_data["events"]
    return counts


def test_what_is_due_goes_and_is_recorded_by_its_exact_number(store: SqlEventStore, engine: Engine) -> None:
    made = put(store, ("a", 1, 31), ("a", 2, 40), ("b", 1, 29), ("a", 1, 0))
    counters, received = SqlEventCounters(engine), minute_of(event().received_at)
    counters.add("door", {(received, ACCEPTED): 4})
    set_rule(engine, ALL, at=NOW)
    assert [(due.events, due.before, due.oldest) for due in plan(engine, now=NOW)] == [(2, days(30), days(40))]
    assert purge(engine, now=NOW).deleted == Counter({"2026-03": 2})
    assert (left(store), recorded(store)) == ([2, 3], Counter({"2026-03": 2}))
    assert purge(engine, now=NOW).deleted == Counter()
    assert recorded(store) == Counter({"2026-03": 2})
    assert [store.get(each.event_id) for each in made[:2]] == [None, None]
    assert store.add(made) == [Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    with engine.connect() as connection:
        assert connection.execute(select(dropped_months.c.month, dropped_months.c.at)).all() == [("2026-03", NOW)]
    result = reconcile(
        Window(0, received + 10**7), counters, lambda: QueueStatistics(0), stored=partial(rows_received, engine)
    )
    assert (result.dropped, result.difference) == (2, -2)  # two were stored again without being accepted


def test_terms_of_deleted_events_find_nothing(store: SqlEventStore, engine: Engine) -> None:
    put(store, ("a", 1, 40), ("b", 1, 1))
    set_rule(engine, ALL, at=NOW)
    purge(engine, now=NOW)
    found = store.find_page(EventFilter(event_types=("a",), customer_ids=(1,)), PageRequest())
    assert (found.events, found.total_count) == ([], 0)
    put_again = event(7, event_type="a", customer_id=1, timestamp_utc=days(1), event_data={"n": 7})
    store.add([put_again])
    assert store.find_page(EventFilter(event_types=("a",)), PageRequest()).events == [put_again]


def test_the_rule_with_more_conditions_applies(store: SqlEventStore, engine: Engine) -> None:
    put(
        store, ("a", 1, 20), ("a", 2, 20), ("b", 1, 20), ("b", 2, 20), ("a", 1, 50), ("b", 1, 50), ("b", 2, 50),
        ("c", 3, 200), ("c", 4, 1),
    )  # fmt: skip
    for rule in (ALL, RetentionRule("a", None, 10), RetentionRule(None, 1, 40), RetentionRule("a", 1, 60),
                 RetentionRule("c", 3, 300)):  # fmt: skip
        set_rule(engine, rule, at=NOW)
    purge(engine, now=NOW)
    assert left(store) == [0, 2, 3, 4, 7, 8]


def test_events_of_the_service_go_by_a_rule_of_their_type_only(store: SqlEventStore, engine: Engine) -> None:
    put(store, ("a", 1, 40), ("a", 1, 1))
    long_ago = NOW - timedelta(days=400)
    set_rule(engine, ALL, at=long_ago)
    purge(engine, now=NOW)
    own = EventFilter(event_types=("audit-log.retention.set",))
    assert store.find_page(own, PageRequest()).total_count == 1
    set_rule(engine, RetentionRule("audit-log.retention.set", None, 30), at=NOW)
    purge(engine, now=NOW)
    assert [each.timestamp_utc for each in store.find_page(own, PageRequest()).events] == [int(NOW.timestamp())]


def test_a_purge_of_everything_is_refused_unless_it_is_asked_for(store: SqlEventStore, engine: Engine) -> None:
    put(store, ("a", 1, 40), ("b", 2, 50))
    set_rule(engine, ALL, at=NOW)
    with pytest.raises(PurgeRefusedError, match="--everything"):
        purge(engine, now=NOW)
    assert (left(store), recorded(store)) == ([0, 1], Counter())
    assert purge(engine, now=NOW, everything=True).deleted.total() == 2


def test_a_stopped_purge_has_recorded_what_it_deleted_and_is_continued(
    store: SqlEventStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_EVENTS", 3)
    put(store, *(("a", 1, 40 + number / 100) for number in range(10)), ("a", 1, 1))
    set_rule(engine, ALL, at=NOW)
    kept: list[Event] = []
    assert purge(engine, now=NOW, archive=kept.extend, pause=lambda _: True).deleted.total() == 3
    assert (len(left(store)), recorded(store).total(), len(kept)) == (8, 3, 3)
    assert purge(engine, now=NOW, archive=kept.extend).deleted.total() == 7
    assert (left(store), recorded(store).total()) == ([10], 10)
    assert sorted(each.event_data["n"] for each in kept) == list(range(10))


def refusals(store: SqlEventStore) -> list[dict[str, Any]]:
    found = store.find_page(EventFilter(event_types=("audit-log.hold.refused",)), PageRequest(order="asc", limit=1000))
    return [each.event_data for each in found.events]


@pytest.fixture
def no_holds(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(holds.delete())


@pytest.mark.usefixtures("no_holds")
def test_events_under_a_legal_hold_stay_until_its_release(
    store: SqlEventStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_EVENTS", 2)
    hold = place(engine, Hold(customer_id=2, reason="a claim"), by="tests", at=NOW)
    other = place(engine, Hold(event_type="a", until=days(35), reason="a case"), by="tests", at=NOW)
    unconcerned = place(engine, Hold(customer_id=3, reason="nothing"), by="tests", at=NOW)
    put(store, ("b", 1, 40), ("a", 2, 40), ("b", 2, 40), ("a", 1, 40), ("b", 1, 40), ("b", 1, 40), ("a", 1, 1))
    set_rule(engine, ALL, at=NOW)
    kept = {hold.hold_id: 2, other.hold_id: 2}
    assert purging.kept_by_holds(engine, now=NOW) == kept
    purged = purge(engine, now=NOW)
    assert (purged.deleted.total(), purged.kept) == (3, kept)
    assert left(store) == [1, 2, 3, 6]
    assert sorted(refusals(store), key=lambda each: each["subject"]) == [
        {"subject": hold_id, "operation": "retention", "events": 2} for hold_id in sorted(kept)
    ]
    assert purge(engine, now=NOW) == Purged(Counter(), kept), "a run that deletes nothing"
    for each in (hold, other, unconcerned):
        release(engine, each.hold_id, reason="settled", by="tests", at=NOW)
    assert purge(engine, now=NOW) == Purged(Counter({"2026-03": 3}), {})
    assert (left(store), len(refusals(store))) == ([6], 4)


@pytest.mark.usefixtures("no_holds")
def test_a_hold_placed_while_a_batch_is_deleted_waits_for_its_commit(
    store: SqlEventStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_EVENTS", 2)
    put(store, *(("a", 2, 40 + number / 100) for number in range(4)), ("a", 1, 1))
    set_rule(engine, ALL, at=NOW)
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        placed: list[Future[Hold]] = []

        def place_meanwhile(connection: Connection, month: str, now: datetime) -> None:
            if not placed:
                placed.append(pool.submit(place, engine, Hold(customer_id=2), by="tests", at=NOW))
                placed[0].add_done_callback(lambda _: seen.extend(left(store)))
                with pytest.raises(TimeoutError):
                    placed[0].result(1)
            note(connection, month, now)

        note = purging._note_month  # noqa: SLF001 - a moment in the transaction
        monkeypatch.setattr(purging, "_note_month", place_meanwhile)
        purge(engine, now=NOW, pause=lambda _: bool(placed[0].result(SECONDS)) and False)
    assert seen == [0, 1, 4], "the hold has seen the batch committed"
    assert left(store) == [0, 1, 4], "and keeps the events that were left"


def test_an_erased_event_goes_with_what_is_left_of_its_proof(store: SqlEventStore, engine: Engine) -> None:
    made = put(store, ("a", 1, 40), ("a", 1, 1))
    ids = tuple(each.event_id for each in made[:1])
    Eraser(engine).erase(
        Request(Selection(ids, None, None), False, "a request", "tests"), at=NOW, progress=lambda _: None
    )
    set_rule(engine, ALL, at=NOW)
    assert purge(engine, now=NOW).deleted.total() == 1
    with engine.connect() as connection:
        assert connection.execute(select(erasures).where(erasures.c.event_id.in_(ids))).all() == []
    assert store.add(made[:1]) == [Outcome.STORED]


def test_a_rule_replaces_the_one_about_the_same_events_and_can_be_removed(store: SqlEventStore, engine: Engine) -> None:
    set_rule(engine, RetentionRule("a", -(2**63), 10), at=NOW)
    set_rule(engine, RetentionRule("a", -(2**63), 20), at=NOW)
    assert read_rules(engine) == [RetentionRule("a", -(2**63), 20)]
    remove_rule(engine, RetentionRule("a", -(2**63), 1), at=NOW)
    with pytest.raises(RuleNotFoundError, match="retention list"):
        remove_rule(engine, RetentionRule("a", -(2**63), 1), at=NOW)
    put(store, ("a", 1, 4000))
    assert purge(engine, now=NOW).deleted == Counter()


def test_a_month_of_which_little_is_kept_goes_as_a_partition(
    postgresql_store: SqlEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, engine = postgresql_store, postgresql_store._engine  # noqa: SLF001 - the test's own
    with engine.begin() as connection:
        connection.execute(retention_rules.delete())
    batches: list[int] = []
    delete = purging._delete  # noqa: SLF001 - counted below

    def counted(*given: Any) -> Counter[str]:
        batches.append(len(given[1]))
        return delete(*given)

    monkeypatch.setattr(purging, "_delete", counted)
    partitions.create(engine, 0, now=NOW - timedelta(days=90))
    put(store, *(("a:1%", 1, 89) for _ in range(59)), ("a:1%", 2, 89), ("b", 1, 1))
    set_rule(engine, RetentionRule("a:1%", None, 30), at=NOW)
    set_rule(engine, RetentionRule("a:1%", 2, 300), at=NOW)
    assert purge(engine, now=NOW).deleted == Counter({"2026-01": 59})
    assert (left(store), recorded(store), batches) == ([59, 60], Counter({"2026-01": 59}), [])
    assert [each.name for each in partitions.partitions(engine)] == ["events_default"]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(events)) == 2 + 3  # and those of the service
