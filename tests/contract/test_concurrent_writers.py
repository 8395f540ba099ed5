"""Several writers of the same events at once: each event is stored once, and every writer gets the true result."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event

from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.domain.reconciliation import minute_of
from core.errors import StoreUnavailableError
from core.ports.store import Outcome
from core.stores.mongodb.events import MongoEventStore
from core.stores.sql import SqlEventStore
from tests.support import databases, ferretdb
from tests.support.builders import event
from tests.support.stores import DatabaseStore, parts_of
from tests.support.waiting import SECONDS

WRITERS = 8
ROUNDS = 5
EVENTS = 200


def add_until_stored(store: DatabaseStore, batch: list[Event]) -> tuple[list[Outcome], int]:
    """The outcomes, and how often the store was busy before it took the batch."""
    for busy in range(20):
        try:
            return store.add(batch), busy
        except StoreUnavailableError:
            continue
    pytest.fail("the store stays busy")


def test_of_several_writers_of_one_event_exactly_one_stores_it(database_store: DatabaseStore) -> None:
    minute = minute_of(event().received_at)
    counted = parts_of(database_store).counters.sums(minute, minute + 1)["stored"]
    barrier = Barrier(WRITERS)
    shuffled = random.Random(7)  # noqa: S311 - the same order every time
    batches = [
        [event(number, event_type=f"writer {writer}" if number % 10 == 0 else "same") for number in range(EVENTS)]
        for writer in range(WRITERS)
    ]
    for batch in batches:
        shuffled.shuffle(batch)
    step = EVENTS // ROUNDS

    def write(writer: int) -> tuple[list[tuple[Event, Outcome]], int]:
        told: list[tuple[Event, Outcome]] = []
        busy = 0
        for start in range(0, EVENTS, step):
            barrier.wait(timeout=SECONDS)
            batch = batches[writer][start : start + step]
            outcomes, waits = add_until_stored(store=database_store, batch=batch)
            told += zip(batch, outcomes, strict=True)
            busy += waits
        return told, busy

    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(write, range(WRITERS)))
    told = [pair for pairs, _ in results for pair in pairs]
    stored = Counter(item.event_id for item, outcome in told if outcome is Outcome.STORED)
    if isinstance(database_store, MongoEventStore):  # as below, an attempt that was cut off may have stored events
        assert stored.keys() <= {event(number).event_id for number in range(EVENTS)}
        assert set(stored.values()) == {1}
    else:
        assert stored == Counter(event(number).event_id for number in range(EVENTS))
    assert database_store.find_page(EventFilter(), PageRequest(limit=1)).total_count == EVENTS
    found = {number: database_store.get(event(number).event_id) for number in range(EVENTS)}
    for item, outcome in told:
        kept = found[int(item.event_id[-12:])]
        assert kept is not None
        assert (outcome is Outcome.CONFLICT) == (not item.same_content(kept))
        if outcome is Outcome.STORED:
            assert kept == item
    assert sum(busy for _, busy in results) <= WRITERS
    if isinstance(database_store, MongoEventStore) and ferretdb.SERVER is None:
        return  # FerretDB loses one of two updates of a document at once; tests/contract/mongodb orders them itself
    # The events of all batches have one receive time, as those of redelivered messages.
    assert parts_of(database_store).counters.sums(minute, minute + 1)["stored"] == counted + EVENTS


def test_writers_of_the_same_large_batches_in_other_orders_do_not_block_each_other(
    database_store: DatabaseStore,
) -> None:
    # FerretDB compares every document with every id of a query: 2,000 by four writers can take it minutes.
    events = 200 if isinstance(database_store, MongoEventStore) else 2000
    batch = [event(number) for number in range(events)]
    batches = [batch, batch[::-1], batch, batch[::-1]]
    barrier = Barrier(4)

    def write(batch: list[Event]) -> tuple[list[Outcome], int]:
        barrier.wait(timeout=SECONDS)
        return add_until_stored(database_store, batch)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(write, batches))
    if not isinstance(database_store, MongoEventStore):  # FerretDB cuts a connection now and then
        assert [busy for _, busy in results] == [0, 0, 0, 0]
    outcomes = Counter(outcome for told, _ in results for outcome in told)
    # A part of a batch that was cut off is a duplicate afterwards: no event is stored twice.
    stored = outcomes[Outcome.STORED]
    assert stored == events or (isinstance(database_store, MongoEventStore) and stored < events)
    assert outcomes == {Outcome.STORED: stored, Outcome.DUPLICATE: 4 * events - stored}
    assert database_store.find_page(EventFilter(), PageRequest(limit=1)).total_count == events


def test_events_go_in_by_id_so_that_writers_wait_in_one_direction_only(mariadb: Engine) -> None:
    databases.empty(mariadb)
    order: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, rows: Any, *_: object) -> None:
        if statement.startswith("INSERT INTO events"):
            order.extend(row["event_id"] for row in rows)

    sqlalchemy_event.listen(mariadb, "before_cursor_execute", note)
    SqlEventStore(mariadb).add([event(3), event(1), event(4), event(2)])
    sqlalchemy_event.remove(mariadb, "before_cursor_execute", note)
    assert order == [event(number).event_id for number in (1, 2, 3, 4)]
