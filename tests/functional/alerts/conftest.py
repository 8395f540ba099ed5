"""A log in a SQLite file, and an evaluator of alert rules on it."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from core.alerts.evaluator import Evaluator
from core.stores.alert_memory import SqlAlertMemory
from core.stores.alert_rules import SqlAlertRules
from core.stores.feed import SqlFeed
from tests.support.alert_rules import NOW
from tests.support.fakes import FakeClock


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
