"""Retention in MongoDB: what the rules say goes, is recorded by its exact number, and nothing else goes."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.domain.reconciliation import Window, minute_of
from core.domain.retention import RetentionRule
from core.errors import PurgeRefusedError, RuleNotFoundError
from core.ports.queue import QueueStatistics
from core.ports.retention import Purged
from core.ports.store import Outcome
from core.stores.event_counters import ACCEPTED
from core.stores.mongodb import retention as module
from core.stores.mongodb.events import MongoEventStore
from core.stores.mongodb.reconciliation import rows_received
from core.stores.mongodb.retention import MongoRetention
from core.stores.reconciliation import reconcile
from tests.support.builders import event
from tests.support.stores import connection_of, parts_of

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
ALL = RetentionRule(None, None, 30)


def days(number: float) -> int:
    """The time so many days ago, in Unix seconds."""
    return int((NOW - timedelta(days=number)).timestamp())


@pytest.fixture
def retention(mongodb_store: MongoEventStore) -> MongoRetention:
    return MongoRetention(connection_of(mongodb_store))


def put(store: MongoEventStore, *rows: tuple[str, int, float]) -> list[Event]:
    """Store events of types, customers and ages in days."""
    made = [
        event(number, event_type=kind, customer_id=customer, timestamp_utc=days(age), event_data={"n": number})
        for number, (kind, customer, age) in enumerate(rows)
    ]
    assert store.add(made) == [Outcome.STORED] * len(made)
    return made


def left(store: MongoEventStore) -> list[int]:
    """Numbers of the events of clients that are stored."""
    found = store.find_page(EventFilter(), PageRequest(order="asc", limit=1000)).events
    return sorted(each.event_data["n"] for each in found if each.customer_id != -1)


def recorded(store: MongoEventStore) -> Counter[str]:
    found = store.find_page(EventFilter(event_types=("audit-log.events.dropped",)), PageRequest(limit=1000)).events
    counts: Counter[str] = Counter()
    for each in found:
        counts[each.event_data["month"]] += each.event_data["events"]
    return counts


def stop(_seconds: float) -> bool:
    return True


def go_on(_seconds: float) -> bool:
    return False


def test_what_is_due_goes_and_is_recorded_by_its_exact_number(
    mongodb_store: MongoEventStore, retention: MongoRetention
) -> None:
    made = put(mongodb_store, ("a", 1, 31), ("a", 2, 40), ("b", 1, 29), ("a", 1, 0))
    counters, received = parts_of(mongodb_store).counters, minute_of(event().received_at)
    counters.add("door", {(received, ACCEPTED): 4})
    retention.set_rule(ALL, at=NOW)
    assert [(due.events, due.before, due.oldest) for due in retention.plan(now=NOW)] == [(2, days(30), days(40))]
    assert retention.purge(now=NOW, pause=go_on) == Purged(Counter({"2026-03": 2}), {})
    assert retention.purge(now=NOW, pause=go_on) == Purged(Counter(), {})
    assert (left(mongodb_store), recorded(mongodb_store)) == ([2, 3], Counter({"2026-03": 2}))
    window = Window(received, received + 10)
    result = reconcile(
        window,
        counters,
        lambda: QueueStatistics(0),
        stored=lambda window: rows_received(connection_of(mongodb_store), window),
    )
    assert (result.dropped, result.difference) == (2, 0)
    assert mongodb_store.add(made) == [Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE, Outcome.DUPLICATE]


def test_the_rule_with_more_conditions_applies(mongodb_store: MongoEventStore, retention: MongoRetention) -> None:
    put(
        mongodb_store, ("a", 1, 20), ("a", 2, 20), ("b", 1, 20), ("b", 2, 20), ("a", 1, 50), ("b", 1, 50), ("b", 2, 50),
        ("c", 3, 200), ("c", 4, 1),
    )  # fmt: skip
    for rule in (ALL, RetentionRule("a", None, 10), RetentionRule(None, 1, 40), RetentionRule("a", 1, 60),
                 RetentionRule("c", 3, 300)):  # fmt: skip
        retention.set_rule(rule, at=NOW)
    retention.purge(now=NOW, pause=go_on)
    assert left(mongodb_store) == [0, 2, 3, 4, 7, 8]


def test_events_of_the_service_go_by_a_rule_of_their_type_only(
    mongodb_store: MongoEventStore, retention: MongoRetention
) -> None:
    put(mongodb_store, ("a", 1, 40), ("a", 1, 1))
    retention.set_rule(ALL, at=NOW - timedelta(days=400))
    retention.purge(now=NOW, pause=go_on)
    own = EventFilter(event_types=("audit-log.retention.set",))
    assert mongodb_store.find_page(own, PageRequest()).total_count == 1
    retention.set_rule(RetentionRule("audit-log.retention.set", None, 30), at=NOW)
    retention.purge(now=NOW, pause=go_on)
    assert [each.timestamp_utc for each in mongodb_store.find_page(own, PageRequest()).events] == [int(NOW.timestamp())]


def test_a_purge_of_everything_is_refused_unless_it_is_asked_for(
    mongodb_store: MongoEventStore, retention: MongoRetention
) -> None:
    put(mongodb_store, ("a", 1, 40), ("b", 2, 50))
    retention.set_rule(ALL, at=NOW)
    with pytest.raises(PurgeRefusedError, match="--everything"):
        retention.purge(now=NOW, pause=go_on)
    assert (left(mongodb_store), recorded(mongodb_store)) == ([0, 1], Counter())
    assert retention.purge(now=NOW, pause=go_on, everything=True).deleted.total() == 2


def test_a_stopped_purge_is_continued_and_a_killed_one_is_completed(
    mongodb_store: MongoEventStore, retention: MongoRetention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_EVENTS", 3)
    made = put(mongodb_store, *(("a", 1, 40 + number / 100) for number in range(10)), ("a", 1, 1))
    retention.set_rule(ALL, at=NOW)
    kept: list[Event] = []
    assert retention.purge(now=NOW, pause=stop, archive=kept.extend).deleted.total() == 3
    note = module._note([made[0], made[1]], NOW)  # noqa: SLF001 - what a process that was killed has left
    collections = connection_of(mongodb_store).writes
    collections.retention.insert_one(note)
    collections.events.delete_one({"_id": made[0].event_id})
    assert retention.purge(now=NOW, pause=go_on, archive=kept.extend).deleted.total() == 7
    assert (left(mongodb_store), recorded(mongodb_store).total()) == ([10], 10)
    assert sorted(each.event_data["n"] for each in kept) == list(range(2, 10))
    minute = minute_of(event().received_at)
    assert parts_of(mongodb_store).counters.sums(minute, minute + 1)["dropped"] == 10


def test_a_rule_replaces_the_one_about_the_same_events_and_can_be_removed(retention: MongoRetention) -> None:
    retention.set_rule(RetentionRule("a", -(2**63), 10), at=NOW)
    retention.set_rule(RetentionRule("b", None, 5), at=NOW)
    retention.set_rule(RetentionRule("a", -(2**63), 20), at=NOW)
    assert retention.rules() == [RetentionRule("a", -(2**63), 20), RetentionRule("b", None, 5)]
    retention.remove_rule(RetentionRule("a", -(2**63), 1), at=NOW)
    with pytest.raises(RuleNotFoundError, match="retention list"):
        retention.remove_rule(RetentionRule("a", -(2**63), 1), at=NOW)
    assert retention.rules() == [RetentionRule("b", None, 5)]
