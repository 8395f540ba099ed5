"""A log in a SQLite file, and an evaluator of alert rules on it."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from core.alerts.evaluator import Evaluator
from core.domain.models import Event
from core.stores.alert_memory import SqlAlertMemory
from core.stores.alert_rules import SqlAlertRules
from core.stores.feed import SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.sql import SqlEventStore
from tests.support.alert_rules import NOW
from tests.support.fakes import FakeClock
from tests.support.streams import StoreEvents


@pytest.fixture
def engine(sqlite_store: SqlEventStore) -> Engine:
    return sqlite_store._engine  # noqa: SLF001 - a store shows it to no other code


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW.timestamp())


@pytest.fixture
def rules(engine: Engine) -> SqlAlertRules:
    return SqlAlertRules(engine)


@pytest.fixture
def new_evaluator(engine: Engine, clock: FakeClock) -> Callable[[], Evaluator]:
    """Build the evaluator of another process."""
    return lambda: Evaluator(SqlFeed(engine), SqlAlertMemory(engine), clock, clock=clock)


@pytest.fixture
def store_events(engine: Engine, sqlite_store: SqlEventStore) -> StoreEvents:
    """Store events, and give them their indices."""

    def store(*events: Event) -> None:
        if events:
            sqlite_store.add(events)
        while Ledger(engine).integrate():
            pass

    return store
