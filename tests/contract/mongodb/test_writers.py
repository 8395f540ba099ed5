"""Each stored event is counted once, whatever a kill or a broken connection leaves undone."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest
from pymongo.errors import AutoReconnect

from core.domain.models import Event
from core.domain.reconciliation import Window, minute_of
from core.errors import StoreUnavailableError
from core.ports.store import Outcome
from core.stores.event_counters import CounterKind
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.event_counters import MongoEventCounters
from core.stores.mongodb.events import MongoEventStore
from core.stores.mongodb.reconciliation import rows_received
from tests.support.builders import RECEIVED_AT, event

MINUTE = minute_of(RECEIVED_AT)
Wrap = Callable[[Callable[[], Any]], Any]


class Counters:
    """The collection of the counters, whose updates `wrap` makes, fails, or delays."""

    def __init__(self, real: Any, wrap: Wrap) -> None:
        self._real = real
        self._wrap = wrap

    def update_one(self, *given: Any, **options: Any) -> Any:
        return self._wrap(lambda: self._real.update_one(*given, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Collections:
    """The collections of a database with other counters."""

    def __init__(self, real: Any, counters: Counters) -> None:
        self._real = real
        self.counters = counters

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Faulty:
    """A connection whose updates of the counters go through `wrap`."""

    def __init__(self, real: Connection, wrap: Wrap) -> None:
        self.writes = Collections(real.writes, Counters(real.writes.counters, wrap))
        self.reads = real.reads


def faulty(real: Connection, wrap: Wrap) -> MongoEventStore:
    return MongoEventStore(cast("Connection", Faulty(real, wrap)))


def fail_before(_change: Callable[[], Any]) -> Any:
    raise AutoReconnect("connection closed")


def fail_after(change: Callable[[], Any]) -> Any:
    change()
    raise AutoReconnect("connection closed")


def sums(connection: Connection) -> Counter[CounterKind]:
    return MongoEventCounters(connection).sums(MINUTE, MINUTE + 1)


def batch(*numbers: int) -> list[Event]:
    return [event(number) for number in numbers]


@pytest.fixture(autouse=True)
def _empty(mongodb_store: MongoEventStore) -> None:
    """Each test begins without events and counters."""


@pytest.mark.parametrize("fault", [fail_before, fail_after])
def test_events_whose_count_failed_are_counted_when_they_are_delivered_again(
    mongodb: Connection, mongodb_store: MongoEventStore, fault: Wrap
) -> None:
    with pytest.raises(StoreUnavailableError):
        faulty(mongodb, fault).add(batch(1, 2, 3))
    assert rows_received(mongodb, Window(MINUTE, MINUTE + 1)) == 3
    assert mongodb_store.add(batch(1, 2, 3, 4)) == [Outcome.DUPLICATE] * 3 + [Outcome.STORED]
    assert mongodb_store.add(batch(1, 2, 3, 4)) == [Outcome.DUPLICATE] * 4
    assert sums(mongodb) == {"stored": 4}


def test_a_batch_that_is_delivered_again_in_parts_and_fails_again_is_counted_once(
    mongodb: Connection, mongodb_store: MongoEventStore
) -> None:
    for numbers, fault in [((1, 2, 3, 4), fail_before), ((2, 3), fail_before), ((3, 4), fail_after)]:
        with suppress(StoreUnavailableError):
            faulty(mongodb, fault).add(batch(*numbers))
    for numbers in [(1, 2), (3,), (4, 1), (2, 3)]:
        assert set(mongodb_store.add(batch(*numbers))) == {Outcome.DUPLICATE}
    assert sums(mongodb) == {"stored": 4}


def test_a_writer_whose_events_were_taken_over_meanwhile_counts_the_others(
    mongodb: Connection, mongodb_store: MongoEventStore
) -> None:
    others: list[list[Event]] = [batch(2, 3), batch(3, 4)]

    def overtaken(change: Callable[[], Any]) -> Any:
        if others:
            mongodb_store.add(others.pop())
        return change()

    assert faulty(mongodb, overtaken).add(batch(1, 2, 3, 4, 5)) == [Outcome.STORED] * 5
    assert sums(mongodb) == {"stored": 5}


def test_events_that_get_another_writer_while_they_are_taken_over_are_counted(
    mongodb: Connection, mongodb_store: MongoEventStore
) -> None:
    with pytest.raises(StoreUnavailableError):
        faulty(mongodb, fail_before).add(batch(1, 2, 3))
    updates: list[Callable[[], Any]] = []

    def carried_out_late(change: Callable[[], Any]) -> Any:
        """The close of a writer, after which a request that was given up gives event 2 another writer."""
        done = change()
        if not updates:
            updates.append(change)
            mongodb.writes.counters.insert_one({"_id": "late", "source": "late", "batch": 0, "closed": False, "c": {}})
            mongodb.writes.events.update_one({"_id": event(2).event_id}, {"$set": {"writer": "late", "batch": 1}})
        return done

    assert faulty(mongodb, carried_out_late).add(batch(1, 2, 3)) == [Outcome.DUPLICATE] * 3
    assert sums(mongodb) == {"stored": 3}  # they are acknowledged now, and come no more
    assert mongodb_store.add(batch(1, 2, 3)) == [Outcome.DUPLICATE] * 3
    assert sums(mongodb) == {"stored": 3}


def test_events_that_were_accepted_again_count_as_repeats_and_redelivered_ones_do_not(
    mongodb: Connection, mongodb_store: MongoEventStore
) -> None:
    again = event(2, received_at="2026-01-31T12:00:30Z")
    assert mongodb_store.add([*batch(1, 2, 1), again]) == [
        Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE, Outcome.DUPLICATE,
    ]  # fmt: skip
    assert mongodb_store.add([*batch(1, 2), event(1, event_type="other")])[-1] is Outcome.CONFLICT
    assert sums(mongodb) == {"stored": 2, "repeated": 1}


def test_all_counts_of_a_source_are_added_at_once(mongodb: Connection) -> None:
    counters = MongoEventCounters(mongodb)
    with pytest.raises(StoreUnavailableError):
        MongoEventCounters(cast("Connection", Faulty(mongodb, fail_before))).add("door", {(MINUTE, "accepted"): 5})
    counters.add("door", {(MINUTE, "accepted"): 5, (MINUTE + 1, "accepted"): 7, (0, "numbered"): 12})
    counters.add("door", {(0, "numbered"): 1})
    counters.add("other", {(MINUTE, "accepted"): 1})
    assert (counters.count("door", 0, "numbered"), counters.count("none", 0, "numbered")) == (13, 0)
    assert counters.sums(MINUTE, MINUTE + 1) == {"accepted": 6}
    assert counters.sums(MINUTE + 1, MINUTE + 2) == {"accepted": 7}
