"""Migration of MongoDB's indexes, and the check of their revision."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from core.errors import InvalidSettingsError, StoreUnavailableError
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.indexes import NEWEST, check_revision, migrate
from tests.support import ferretdb


@pytest.fixture
def new() -> Iterator[Connection]:
    """A database without a collection."""
    with ferretdb.throwaway() as url, closing(Connection(url)) as connection:
        yield connection


def test_a_migration_makes_the_indexes_once_and_sets_the_revision(new: Connection) -> None:
    with pytest.raises(StoreUnavailableError, match=r"revision none.*audit-log migrate"):
        check_revision(new)
    assert migrate(new) == (None, NEWEST)
    assert migrate(new) == (NEWEST, NEWEST)
    assert check_revision(new) == {"revision": NEWEST}
    found = {index["name"]: list(index["key"].items()) for index in new.reads.events.list_indexes()}
    assert found == {
        "_id_": [("_id", 1)],
        "ix_events_customer_type_time": [("customer_id", 1), ("event_type", 1), ("timestamp_utc", -1), ("_id", -1)],
        "ix_events_customer_time": [("customer_id", 1), ("timestamp_utc", -1), ("_id", -1)],
        "ix_events_type_time": [("event_type", 1), ("timestamp_utc", -1), ("_id", -1)],
        "ix_events_time": [("timestamp_utc", -1), ("_id", -1)],
        "ix_events_terms_time": [("terms", 1), ("timestamp_utc", -1), ("_id", -1)],
        "ix_events_received": [("received_at", 1)],
    }


def migrate_by_and_by(connection: Connection) -> str:
    """FerretDB cuts connections that create one collection at once; a process that starts again finds it."""
    for _ in range(20):
        with suppress(StoreUnavailableError):
            return migrate(connection)[1]
    pytest.fail("the migration stays unavailable")


def test_several_processes_may_migrate_at_once(new: Connection) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(migrate_by_and_by, [new] * 4)) == {NEWEST}
    assert check_revision(new) == {"revision": NEWEST}


def test_a_database_of_a_newer_version_is_refused(new: Connection) -> None:
    migrate(new)
    new.writes.schema.update_one({}, {"$set": {"revision": "9999"}})
    with pytest.raises(InvalidSettingsError, match="newer version"):
        migrate(new)
    with pytest.raises(StoreUnavailableError, match="revision 9999"):
        check_revision(new)
