"""A database that cannot be used is the store's fault and temporary; an event that it cannot hold is the event's."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from core.domain.queries import EventFilter, PageRequest
from core.errors import EventNotStorableError, StoreUnavailableError
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.support.builders import event

Open = Callable[[str], SqlEventStore]
WRITE = pytest.param(lambda store: store.add([event()]), id="add")
READS = [
    pytest.param(lambda store: store.find_page(EventFilter(), PageRequest()), id="find"),
    pytest.param(lambda store: store.list_page(EventFilter(), PageRequest()), id="read"),
    pytest.param(lambda store: store.get(event().event_id), id="get"),
    pytest.param(lambda store: store.check(), id="check"),
]
every_call = pytest.mark.parametrize("call", [WRITE, *READS])


@pytest.fixture
def open_store() -> Iterator[Open]:
    with ExitStack() as opened:

        def open_store(url: str) -> SqlEventStore:
            store = SqlEventStore(open_engine(url))
            opened.callback(store.close)
            return store

        yield open_store


@every_call
def test_a_file_that_is_no_database_makes_the_store_unavailable(
    open_store: Open, tmp_path: Path, call: Callable[[SqlEventStore], Any]
) -> None:
    path = tmp_path / "audit-log.db"
    path.write_text("This is not a database. " * 100)
    with pytest.raises(StoreUnavailableError):
        call(open_store(f"sqlite:///{path}"))
    with pytest.raises(StoreUnavailableError, match="file is not a database"):
        migrate(open_engine(f"sqlite:///{path}"))


@every_call
def test_a_directory_that_is_missing_makes_the_store_unavailable(
    open_store: Open, tmp_path: Path, call: Callable[[SqlEventStore], Any]
) -> None:
    url = f"sqlite:///{tmp_path}/missing/audit-log.db"
    with pytest.raises(StoreUnavailableError):
        call(open_store(url))
    with pytest.raises(StoreUnavailableError, match=r"No such file or directory.*AUDIT_LOG_DATA_DIR"):
        migrate(open_engine(url))


@every_call
def test_a_database_without_tables_makes_the_store_unavailable(
    open_store: Open, tmp_path: Path, call: Callable[[SqlEventStore], Any]
) -> None:
    with pytest.raises(StoreUnavailableError):
        call(open_store(f"sqlite:///{tmp_path}/audit-log.db"))


def test_a_database_that_may_only_be_read_is_read_and_unavailable_for_writing(
    sqlite_store: SqlEventStore, open_store: Open, tmp_path: Path
) -> None:
    sqlite_store.add([event(1)])
    read_only = open_store(f"sqlite:///file:{tmp_path}/audit-log.db?mode=ro&uri=true")
    assert read_only.get(event(1).event_id) == event(1)
    with pytest.raises(StoreUnavailableError):
        read_only.add([event(2)])
    assert sqlite_store.get(event(2).event_id) is None


def test_a_new_database_that_may_only_be_read_makes_the_store_unavailable(open_store: Open, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection, connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(StoreUnavailableError):
        open_store(f"sqlite:///file:{tmp_path}/new.db?mode=ro&uri=true").check()


def test_a_store_that_was_damaged_while_open_is_unavailable(sqlite_store: SqlEventStore, tmp_path: Path) -> None:
    sqlite_store.add([event()])
    sqlite_store.close()
    (tmp_path / "audit-log.db").write_bytes(b"\xff" * 65_536)
    for call in [*READS, WRITE]:
        with pytest.raises(StoreUnavailableError):
            call.values[0](sqlite_store)  # type: ignore[operator]  # the lambdas above


@pytest.mark.parametrize(
    "changed",
    [
        {"event_data": {"a": 2**70}},
        {"customer_id": 2**70},
        {"customer_id": 2**63},
        {"event_type": None},
        {"event_type": "a\0b"},
        {"recorded_by": "\ud800"},
    ],
)
def test_an_event_that_the_database_cannot_hold_is_not_storable(
    sqlite_store: SqlEventStore, changed: dict[str, Any]
) -> None:
    with pytest.raises(EventNotStorableError):
        sqlite_store.add([event(1), event(2).model_copy(update=changed)])
    assert sqlite_store.get(event(1).event_id) is None


def test_what_an_event_holds_does_not_go_into_the_error_that_is_logged(sqlite_store: SqlEventStore) -> None:
    with pytest.raises(EventNotStorableError) as caught:
        sqlite_store.add([event(event_type="hunter2", event_data={"a": 2**70})])
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"
