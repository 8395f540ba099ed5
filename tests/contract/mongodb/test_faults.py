"""A MongoDB that is away, hangs or refuses makes the store unavailable, and no message shows a password."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.auth import clients
from core.domain.audit_events import audit_event
from core.domain.queries import EventFilter, PageRequest
from core.errors import EventNotStorableError, ReadTimeoutError, StoreUnavailableError
from core.ports.store import Outcome
from core.stores.mongodb import events as mongodb_events
from core.stores.mongodb.clients import MongoClientStore
from core.stores.mongodb.connection import Connection, reading
from core.stores.mongodb.events import MongoEventStore
from core.stores.mongodb.indexes import check_revision, migrate
from core.stores.mongodb.own_events import store_recorded
from tests.support.builders import RECEIVED_AT, event
from tests.support.ferretdb import FerretDB
from tests.support.stores import connection_of

QUICK = "serverSelectionTimeoutMS=500&socketTimeoutMS=2000&connectTimeoutMS=500"
CALLS: list[Callable[[MongoEventStore], Any]] = [
    lambda store: store.add([event(9)]),
    lambda store: store.find_page(EventFilter(), PageRequest()),
    lambda store: store.list_page(EventFilter(), PageRequest()),
    lambda store: store.get(event().event_id),
    lambda store: store.newest_receive_time(),
    lambda store: store.check(),
    lambda store: check_revision(connection_of(store)),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FerretDB]:
    """A server of this test, which it may kill."""
    server = FerretDB(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def store(server: FerretDB) -> Iterator[MongoEventStore]:
    with closing(Connection(f"{server.url}/audit_log?{QUICK}")) as connection:
        migrate(connection)
        yield MongoEventStore(connection)


def refuses_all(store: MongoEventStore) -> None:
    for call in CALLS:
        with pytest.raises(StoreUnavailableError) as refused:
            call(store)
        assert "127.0.0.1" not in str(refused.value)


def test_a_server_that_was_killed_is_missed_and_used_again_when_it_is_back(
    server: FerretDB, store: MongoEventStore
) -> None:
    assert store.add([event(1)]) == [Outcome.STORED]
    server.kill()
    refuses_all(store)
    server.start()
    assert store.add([event(1), event(2)]) == [Outcome.DUPLICATE, Outcome.STORED]
    assert store.find_page(EventFilter(), PageRequest()).total_count == 2


def test_a_server_that_hangs_is_given_up_in_time(server: FerretDB, store: MongoEventStore) -> None:
    store.add([event(1)])
    server.pause()
    try:
        for call in CALLS[:2]:
            with pytest.raises(StoreUnavailableError):
                call(store)
    finally:
        server.go_on()
    assert store.get(event(1).event_id) == event(1)


def test_no_message_shows_a_password(server: FerretDB) -> None:
    url = server.url.replace("//", "//someone:hunter2@")
    server.kill()
    with closing(Connection(f"{url}/audit_log?{QUICK}")) as connection:
        for call in CALLS:
            with pytest.raises(StoreUnavailableError) as refused:
                call(MongoEventStore(connection))
            assert "hunter2" not in f"{refused.value} {refused.value.__cause__!r}"


def test_a_change_of_a_client_whose_event_cannot_be_stored_yet_keeps_it(mongodb_store: MongoEventStore) -> None:
    connection = connection_of(mongodb_store)
    client, _ = clients.create("shop", ["events:write"], None, at=RECEIVED_AT)
    created = audit_event("client.created", client.client_id, at=RECEIVED_AT)
    MongoClientStore(connection).save_client(client, created)
    connection.writes.events.delete_many({})  # as if the process had been killed before the event was stored
    connection.writes.counters.delete_many({})
    connection.writes.clients.update_one(
        {"_id": client.client_id}, {"$set": {f"records.{created.event_id}": created.to_json().decode()}}
    )
    assert MongoClientStore(connection).client(client.client_id) == client
    store_recorded(connection)
    store_recorded(connection)
    assert mongodb_store.get(created.event_id) == created
    assert connection.reads.clients.find_one({"_id": client.client_id})["records"] == {}  # type: ignore[index] # it exists


@pytest.mark.parametrize(
    "changed",
    [
        {"event_data": {"a": 2**70}},
        {"customer_id": 2**63},
        {"recorded_by": "\ud800"},
        {"event_data": {"a": "\ud800"}},
    ],
)
def test_an_event_that_cannot_be_encoded_leaves_the_others_of_its_batch_unstored(
    mongodb_store: MongoEventStore, changed: dict[str, Any]
) -> None:
    bad = event(2, event_type="hunter2").model_copy(update=changed)
    with pytest.raises(EventNotStorableError) as refused:
        mongodb_store.add([event(1), bad])
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__!r}"
    assert mongodb_store.get(event(1).event_id) is None


def test_an_event_with_more_values_than_terms_is_found_by_all_of_them(
    mongodb_store: MongoEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.domain.queries import DataFilter  # noqa: PLC0415
    from core.stores.mongodb import terms  # noqa: PLC0415

    monkeypatch.setattr(terms, "MAX_TERMS", 3)
    monkeypatch.setattr(mongodb_events, "_TERMS_PER_INSERT", 4)
    large = event(1, event_data={"n": [1, 2, 3, 4, 5]})
    mongodb_store.add([large, event(2, event_data={"n": [5]}), event(3, event_data={"n": [6]})])
    for value, numbers in [(5, [1, 2]), (1, [1]), (6, [3]), (7, [])]:
        wanted = EventFilter(data=(DataFilter(path=("n", None), values=(value,)),))
        found = mongodb_store.find_page(wanted, PageRequest(order="asc"))
        assert [each.event_id for each in found.events] == [event(number).event_id for number in numbers]
        assert (found.total_count, found.total_relation) == (len(numbers), "eq")


def test_a_read_beyond_its_time_says_what_to_ask_for(mongodb_store: MongoEventStore) -> None:
    mongodb_store.add([event(number) for number in range(500)])
    connection = connection_of(mongodb_store)
    with pytest.raises(ReadTimeoutError, match="shorter range of time"), reading():
        list(connection.reads.events.find({}, sort=[("timestamp_utc", 1)], max_time_ms=1))
