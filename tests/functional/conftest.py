"""A log in a SQLite file, as an engine, and events that are stored in it with their indices."""

import pytest
from sqlalchemy import Engine

from core.domain.models import Event
from core.stores.ledger.integration import Ledger
from core.stores.sql import SqlEventStore
from tests.support.streams import StoreEvents


@pytest.fixture
def engine(sqlite_store: SqlEventStore) -> Engine:
    return sqlite_store._engine  # noqa: SLF001 - a store shows it to no other code


@pytest.fixture
def store_events(engine: Engine, sqlite_store: SqlEventStore) -> StoreEvents:
    """Store events, and give them their indices."""

    def store(*events: Event) -> None:
        if events:
            sqlite_store.add(events)
        while Ledger(engine).integrate():
            pass

    return store
