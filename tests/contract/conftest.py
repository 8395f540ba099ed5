"""The stores that the contract holds for: a new adapter is one more parameter."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Engine

from core.domain.queries import EventFilter, PageRequest
from core.ports.store import EventStore
from core.stores.migrations.upgrade import migrate
from core.stores.mongodb import indexes
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.events import MongoEventStore
from core.stores.sql import SqlEventStore
from tests.support import databases, ferretdb
from tests.support.fakes import FakeStore
from tests.support.stores import DATABASES, LONG, DatabaseStore, with_limits

Find = Callable[..., list[int]]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Engine]:
    """A migrated database on a real PostgreSQL, for the whole session."""
    with databases.throwaway(databases.POSTGRESQL) as url, databases.opened(url) as engine:
        migrate(engine)
        yield engine


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Engine]:
    """The same on a real MariaDB."""
    with databases.throwaway(databases.MARIADB) as url, databases.opened(url) as engine:
        migrate(engine)
        yield engine


@pytest.fixture
def postgresql_store(postgresql: Engine) -> SqlEventStore:
    databases.empty(postgresql)
    return SqlEventStore(postgresql)


@pytest.fixture
def mariadb_store(mariadb: Engine) -> SqlEventStore:
    databases.empty(mariadb)
    return SqlEventStore(mariadb)


@pytest.fixture(scope="session")
def mongodb() -> Iterator[Connection]:
    """A migrated database on a server of MongoDB's protocol."""
    with ferretdb.throwaway() as url, closing(Connection(url)) as connection:
        indexes.migrate(connection)
        yield connection


@pytest.fixture
def mongodb_store(mongodb: Connection) -> MongoEventStore:
    ferretdb.empty(mongodb)
    return MongoEventStore(mongodb)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def sql_store(request: pytest.FixtureRequest) -> SqlEventStore:
    store: SqlEventStore = request.getfixturevalue(f"{request.param}_store")
    return store


@pytest.fixture(params=DATABASES)
def database_store(request: pytest.FixtureRequest) -> DatabaseStore:
    """A store in a real database of each kind."""
    store: DatabaseStore = request.getfixturevalue(f"{request.param}_store")
    return store


@pytest.fixture
def engine(sql_store: SqlEventStore) -> Engine:
    """The database of `sql_store`."""
    return sql_store._engine  # noqa: SLF001 - a store shows it to no other code


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "mongodb", "fake"])
def event_store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "fake":
        return FakeStore()
    return with_limits(request.getfixturevalue(f"{request.param}_store"), LONG)


@pytest.fixture
def find_page(event_store: EventStore) -> Find:
    """The numbers of the events that a filter finds, the oldest first."""

    def find(**conditions: Any) -> list[int]:
        matches = event_store.find_page(EventFilter(**conditions), PageRequest(order="asc"))
        assert matches.total_count == len(matches.events)
        return [int(event.event_id[-12:]) for event in matches.events]

    return find
