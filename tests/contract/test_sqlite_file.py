"""The file that a store writes to is the one at its path, and nothing but a migration creates it."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from core.domain.models import Event
from core.domain.queries import EventFilter, PageRequest
from core.errors import StoreUnavailableError
from core.ports.store import Outcome
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.support.builders import event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a database?#%41.db"  # characters that mean something in a URI


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    url = "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> SqlEventStore:
    migrate(engine)
    return SqlEventStore(engine)


def copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as origin, closing(sqlite3.connect(target)) as other:
        origin.backup(other)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_file_and_its_log_are_for_their_owner_only(path: Path, engine: Engine, umask: int) -> None:
    before = os.umask(umask)
    try:
        migrate(engine)
    finally:
        os.umask(before)
    SqlEventStore(engine).add([event()])
    modes = {file.name.removeprefix(path.name): file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("", "-wal", "-shm"), 0o600)


def test_a_store_that_is_asked_creates_nothing(path: Path, engine: Engine) -> None:
    with pytest.raises(StoreUnavailableError, match="file is missing"):
        SqlEventStore(engine).check()
    assert list(path.parent.iterdir()) == []


def test_a_file_that_was_removed_takes_no_events_until_it_is_back(store: SqlEventStore, path: Path) -> None:
    store.add([event(1)])
    assert store.check()
    copy(path, path.with_name("kept.db"))
    path.unlink()
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="file is missing"):
            store.add([event(2)])
        with pytest.raises(StoreUnavailableError, match="file is missing"):
            store.check()
    assert not path.exists()

    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink()
    path.with_name("kept.db").rename(path)
    assert store.add([event(2)]) == [Outcome.STORED]
    assert [found.event_id for found in store.find_page(EventFilter(), PageRequest()).events] == [
        event(2).event_id, event(1).event_id
    ]  # fmt: skip


def test_what_was_committed_to_a_file_that_is_gone_is_not_taken_for_stored(engine: Engine, path: Path) -> None:
    """Removed after the connection was opened, and before the commit."""
    migrate(engine)

    class Removing(SqlEventStore):
        def _by_ids(self, connection: Connection, event_ids: Iterable[str]) -> dict[str, Event]:
            path.unlink(missing_ok=True)
            return super()._by_ids(connection, event_ids)

    store = Removing(engine)
    store.add([event(1)])
    with pytest.raises(StoreUnavailableError, match="file is missing"):
        store.add([event(1), event(2)])  # looks up which id is taken
