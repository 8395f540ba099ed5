"""Fixtures that every kind of test shares."""

import logging
import os
import signal
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import typer.main
import typer.testing

from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.sql import SqlEventStore
from core.wiring import Services
from tests.support import databases
from tests.support.fakes import FakeQueue, FakeStore
from tests.support.service import Service

# Processes in the background of a shell, as after `nohup make test &`, ignore SIGINT, and so would those that tests
# start and end by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis fails an example that takes longer than 200 ms, as on a machine that computes something else as well.
hypothesis.settings.register_profile(
    "busy_machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy_machine")

SECRET = "a-secret-of-the-tests-that-is-long-enough"

_TESTS = Path(__file__).parent

_LONG = [_TESTS / "e2e" / "test_schemathesis.py", _TESTS / "faults"]
"""They wait most of the time. pytest-xdist runs them first, one after the other in one process next to tests that
compute, so that no core idles at the end."""

# Tracing makes Python up to two and a half times as slow. So these are not traced:
_WITHOUT_COVERAGE = [
    _TESTS / "e2e",  # the service runs in other processes
    *sorted((_TESTS / "security").glob("test_runner_*.py")),
    *(_TESTS / "security" / f"test_{name}.py" for name in ("enforcement", "linear_patterns", "linear_requests")),
]

_TRACED_ON_SQLITE = [
    _TESTS / "contract" / f"test_{name}.py"
    for name in ("alert_rule_race", "concurrent_writers", "feed_race", "filter_meaning", "ledger_attacks")
]
"""Long tests, whose code for other databases shorter ones of the contract take as well."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not _is_in(item, _LONG))
    for item in items:
        if _is_in(item, _WITHOUT_COVERAGE) or ("[sqlite" not in item.name and _is_in(item, _TRACED_ON_SQLITE)):
            item.add_marker("no_cover")


def _is_in(item: pytest.Item, places: Sequence[Path]) -> bool:
    return any(item.path.is_relative_to(place) for place in places)


@pytest.fixture(scope="session", autouse=True)
def _commands_built_once() -> Iterator[None]:
    """Let `CliRunner.invoke` build the commands of an app once for each process: it takes 30 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo what a command that a test calls does to the logging of this process."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_environ({"AUDIT_LOG_DATA_DIR": str(tmp_path), "AUDIT_LOG_JWT_SECRET": SECRET})


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def services(settings: Settings, queue: FakeQueue, store: FakeStore) -> Services:
    """Real tokens and clock, with a fake queue and a fake store."""
    return Services(settings, publisher=queue, reader=store, summaries=store, feed=store, writer=store, checks={})


@pytest.fixture
def sqlite_store(settings: Settings) -> Iterator[SqlEventStore]:
    """A real store in a SQLite file."""
    engine = open_engine(settings.store_url)
    databases.copy_migrated(engine.url)
    store = SqlEventStore(engine)
    yield store
    store.close()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One `audit-log serve` for all tests that only send requests; each uses its own event types and customers."""
    with Service.start(tmp_path_factory.mktemp("service")) as running:
        yield running
