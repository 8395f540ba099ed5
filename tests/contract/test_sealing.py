"""Every stored event has a place in exactly one batch, on every database and by every way of storing it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import Engine

from core.auth import clients
from core.domain.audit_events import audit_event
from core.domain.models import Event
from core.errors import EventNotStorableError, StoreUnavailableError
from core.ports.store import Outcome
from core.stores.clients import SqlClientStore
from core.stores.sealing import seconds_of
from core.stores.sql import SqlEventStore
from tests.support.builders import event
from tests.support.ledger import batches, faults, places
from tests.support.waiting import SECONDS

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_batch_holds_id_month_and_customer_of_each_event_in_order(sql_store: SqlEventStore, engine: Engine) -> None:
    given = [
        event(3, customer_id=-(2**63), timestamp_utc=0),
        event(1, customer_id=2**63 - 1, timestamp_utc=253_402_300_799),
        event(2, customer_id=-1, timestamp_utc=int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) - 1),
    ]
    sql_store.add(given)
    [batch] = batches(engine)
    assert batch.ids == [event(number).event_id for number in (1, 2, 3)]
    assert batch.months == [(9999 - 1970) * 12 + 11, (2026 - 1970) * 12, 0]
    assert batch.customers == [2**63 - 1, -1, -(2**63)]
    assert (batch.size, batch.first_index) == (3, None)
    assert places(engine) == {event(number).event_id: (batch.number, number - 1) for number in (1, 2, 3)}


def test_only_the_events_that_are_stored_are_in_a_batch(sql_store: SqlEventStore, engine: Engine) -> None:
    sql_store.add([event(1)])
    outcomes = sql_store.add([event(1), event(1, event_type="other"), event(2), event(2)])
    assert outcomes == [Outcome.DUPLICATE, Outcome.CONFLICT, Outcome.STORED, Outcome.DUPLICATE]
    sql_store.add([event(1), event(2)])
    assert [batch.ids for batch in batches(engine)] == [[event(1).event_id], [event(2).event_id]]
    assert faults(engine) == []


def test_an_event_that_the_store_refuses_is_in_no_batch(sql_store: SqlEventStore, engine: Engine) -> None:
    with pytest.raises(EventNotStorableError):
        sql_store.add([event(1), Event.model_construct(**{**dict(event(2)), "customer_id": 2**63})])
    assert batches(engine) == []


def test_the_services_own_events_are_in_a_batch(engine: Engine) -> None:
    client, _ = clients.create("shop", ["events:write"], None, at=NOW)
    record = audit_event("client.created", client.client_id, at=NOW)
    SqlClientStore(engine).save_client(client, record)
    [batch] = batches(engine)
    assert (batch.ids, batch.customers) == ([record.event_id], [-1])


def test_a_number_that_another_batch_has_is_replaced_by_another_one(engine: Engine) -> None:
    numbers = iter([7, 7, 8])
    store = SqlEventStore(engine, lambda: next(numbers))
    assert store.add([event(1)]) == [Outcome.STORED]
    assert store.add([event(2)]) == [Outcome.STORED]
    assert places(engine) == {event(1).event_id: (7, 0), event(2).event_id: (8, 0)}
    assert faults(engine) == []


def test_a_number_begins_with_the_time_of_its_batch(sql_store: SqlEventStore, engine: Engine) -> None:
    before = datetime.now(UTC).timestamp()
    sql_store.add([event()])
    [batch] = batches(engine)
    assert before - 0.001 <= seconds_of(batch.number) <= datetime.now(UTC).timestamp()


def test_writers_of_the_same_events_leave_each_in_one_batch(sql_store: SqlEventStore, engine: Engine) -> None:
    barrier = Barrier(4)

    def write(writer: int) -> None:
        for start in range(0, 100, 20):
            barrier.wait(timeout=SECONDS)
            add_until_stored(sql_store, [event(number) for number in range(start + writer, start + 20 + writer)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(places(engine)) == 103
    assert faults(engine) == []


def add_until_stored(store: SqlEventStore, batch: list[Event]) -> None:
    for _ in range(20):
        try:
            store.add(batch)
        except StoreUnavailableError:  # SQLite was busy
            continue
        return
    pytest.fail("the store stays busy")
