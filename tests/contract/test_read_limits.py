"""A read ends at its time limit on every database, and a write does not."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url

from core.domain.queries import EventFilter, PageRequest
from core.errors import ReadTimeoutError, StoreUnavailableError
from core.ports.store import Outcome
from core.settings import Settings
from core.stores.clients import SqlClientStore
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import ReadLimits
from core.stores.engine import open_engine
from core.stores.event_counters import SqlEventCounters
from core.stores.migrations.revision import check_revision
from core.stores.sql import SqlEventStore
from core.stores.summaries import SqlEventSummaries
from tests.support import databases
from tests.support.builders import event
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import retried, until

PROMPTLY = 60.0
"""Seconds: far more than the limits of these tests and a pause of the machine; what they stop does not end."""

ENDLESS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}
NAP = {"postgresql": "SELECT pg_sleep({})", "mysql": "SELECT SLEEP({})"}
LOCK = {"postgresql": "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", "mysql": "LOCK TABLE {} WRITE"}
UNLOCK = {"postgresql": "COMMIT", "mysql": "UNLOCK TABLES"}
READS: dict[str, tuple[str, Callable[[Engine], object]]] = {
    "find": ("events", lambda engine: SqlEventStore(engine).find_page(EventFilter(), PageRequest())),
    "read": ("events", lambda engine: SqlEventStore(engine).list_page(EventFilter(), PageRequest())),
    "get": ("events", lambda engine: SqlEventStore(engine).get(event(1).event_id)),
    "check": ("events", lambda engine: SqlEventStore(engine).check()),
    "summarize": ("events", lambda engine: SqlEventSummaries(engine).summarize(EventFilter())),
    "client": ("clients", lambda engine: SqlClientStore(engine).client("client-1")),
    "sums": ("tallies", lambda engine: SqlEventCounters(engine).sums(0, 1)),
    "revision": ("alembic_version", check_revision),
}


@pytest.fixture
def sqlite(settings: Settings) -> Iterator[Engine]:
    with databases.opened(settings.store_url) as engine:
        databases.copy_migrated(engine.url)
        yield engine


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(request.param)
    databases.empty(engine)
    return engine


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(request.param)
    return engine


@contextmanager
def limited(engine: Engine, query: dict[str, str] | None = None, **limits: float) -> Iterator[Engine]:
    """The same database with other limits, and with more in its URL."""
    url = engine.url.update_query_dict(query or {}).render_as_string(hide_password=False)
    other = open_engine(url, limits=ReadLimits(**limits))
    try:
        yield other
    finally:
        other.dispose()


@contextmanager
def locked(engine: Engine, table: str) -> Iterator[None]:
    with engine.connect() as connection:
        connection.exec_driver_sql(LOCK[engine.dialect.name].format(table))
        try:
            yield
        finally:
            connection.exec_driver_sql(UNLOCK[engine.dialect.name])


@contextmanager
def at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < PROMPTLY


def ask(engine: Engine, *statements: str) -> list[Any]:
    with open_read_connection(engine) as connection:
        return [connection.exec_driver_sql(statement).scalar() for statement in statements]


def test_a_statement_without_end_is_stopped_and_the_next_read_succeeds(database: Engine) -> None:
    with limited(database, statement=0.3) as engine:
        with at_once(), pytest.raises(ReadTimeoutError, match="ask for a shorter range of time"):
            ask(engine, ENDLESS[engine.dialect.name])
        assert ask(engine, "SELECT 1") == [1]


@pytest.mark.parametrize("call", READS)
def test_a_lock_of_another_connection_is_not_waited_for(server: Engine, call: str) -> None:
    table, read = READS[call]
    with limited(server, lock=0.2) as engine:
        read(engine)
        with locked(server, table), at_once(), pytest.raises(ReadTimeoutError, match="locked by another connection"):
            read(engine)
        read(engine)


def test_a_read_begins_no_statement_once_its_time_is_over(server: Engine) -> None:
    nap = NAP[server.dialect.name].format(0.4)
    with limited(server, statement=0.7) as engine:
        # Not at the first attempt where the machine stands still during a nap.
        assert len(retried(lambda: ask(engine, nap), ReadTimeoutError)) == 1

        def why_it_ended() -> str:
            with pytest.raises(ReadTimeoutError) as ended:
                ask(engine, nap, nap, "SELECT 1")
            return str(ended.value)

        until(lambda: "several statements" in why_it_ended())


def test_a_write_takes_longer_than_a_read_may(server: Engine) -> None:
    nap = NAP[server.dialect.name].format(0.6)
    with limited(server, statement=0.3, lock=0.2, silence=0.3) as engine:
        with open_connection(engine) as connection:
            connection.exec_driver_sql(nap)
        assert SqlEventStore(engine).add([event(1)]) == [Outcome.STORED]


def test_reads_that_take_every_connection_leave_the_writers_theirs(database: Engine) -> None:
    databases.empty(database)
    with limited(database) as engine, ExitStack() as held:
        for _ in range(16):
            held.enter_context(open_read_connection(engine))
        with at_once(), pytest.raises(StoreUnavailableError, match="all connections are in use"):
            ask(engine, "SELECT 1")
        assert SqlEventStore(engine).add([event(1)]) == [Outcome.STORED]


def test_a_server_that_stops_answering_gives_the_reader_back(server: Engine) -> None:
    proxy = TcpProxy((server.url.host or "", server.url.port or 0))
    try:
        through = make_url(server.url).set(port=proxy.port)
        url = through.render_as_string(hide_password=False)
        engine = open_engine(f"{url}{'&' if through.query else '?'}connect_timeout=1", limits=ReadLimits(silence=1))
        assert ask(engine, "SELECT 1") == [1]
        proxy.stall()
        for _ in range(2):  # with a connection out of the pool, and with a new one
            with at_once(), pytest.raises(StoreUnavailableError):
                ask(engine, "SELECT 1")
        engine.dispose()
    finally:
        proxy.close()


def test_a_shorter_limit_of_the_account_or_url_stays(postgresql: Engine) -> None:
    with limited(postgresql, {"options": "-c statement_timeout=200ms -c lock_timeout=1h"}) as engine:
        assert ask(engine, "SHOW statement_timeout", "SHOW lock_timeout") == ["200ms", "3s"]
    with limited(postgresql, {"options": "-c statement_timeout=0"}) as engine:
        assert ask(engine, "SHOW statement_timeout", "SHOW lock_timeout") == ["10s", "3s"]


def test_the_limits_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "operations.md").read_text()
    limits = ReadLimits()
    assert f"| a statement | {limits.statement:.0f} |" in page
    assert f"| waiting for a lock of another connection | {limits.lock:.0f} |" in page
    assert f"| waiting for a server that is stopped or cut off | {limits.silence:.0f}, and 5 to connect |" in page
