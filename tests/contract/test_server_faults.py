"""Database servers that are away, busy or refuse: a fault of the server passes, one of the event does not."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy import event as sqlalchemy_event

from core.domain.queries import EventFilter, PageRequest
from core.errors import EventNotStorableError, InvalidSettingsError, StoreUnavailableError
from core.ports.store import Outcome
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.support import databases
from tests.support.builders import event
from tests.support.waiting import SECONDS, until

Open = Callable[..., SqlEventStore]

OTHERS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}
KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}
LOCK = {"postgresql": "LOCK TABLE events", "mysql": "LOCK TABLE events WRITE"}
UNLOCK = {"postgresql": "COMMIT", "mysql": "UNLOCK TABLES"}


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Engine:
    """An engine to look at, and disturb, the database from outside."""
    engine: Engine = request.getfixturevalue(request.param)
    databases.empty(engine)
    return engine


@pytest.fixture
def open_store() -> Iterator[Open]:
    with ExitStack() as opened:

        def open_store(engine: Engine, *session: str, **query: str) -> SqlEventStore:
            """A separate store on this database, with more in its URL, or sent at the start of each connection."""
            url = engine.url.update_query_dict(query).render_as_string(hide_password=False)
            other = opened.enter_context(databases.opened(url))

            def say(connection: Any, _record: object) -> None:
                with connection.cursor() as cursor:
                    for statement in session:
                        cursor.execute(statement)
                connection.commit()

            sqlalchemy_event.listen(other, "connect", say)
            return SqlEventStore(other)

        yield open_store


@contextmanager
def locked(engine: Engine) -> Iterator[Connection]:
    """The events are someone else's for a while."""
    with engine.connect() as connection:
        connection.exec_driver_sql(LOCK[engine.dialect.name])
        yield connection
        connection.exec_driver_sql(UNLOCK[engine.dialect.name])


def told(error: BaseException | None) -> str:
    """What a log would say of the error and its causes."""
    return f"{error} {told(error.__cause__)}" if error else ""


def kill_others(connection: Connection) -> int:
    """End all other connections to the database; how many."""
    name = connection.dialect.name
    if name == "postgresql":  # shows a transaction the same list again and again
        connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
    others = connection.exec_driver_sql(OTHERS[name]).scalars().all()
    for other in others:
        connection.exec_driver_sql(KILL[name].format(other))
    return len(others)


def test_a_connection_that_was_ended_is_replaced_unnoticed(server: Engine, open_store: Open) -> None:
    store = open_store(server)
    store.add([event(1)])
    with server.connect() as connection:
        assert kill_others(connection) >= 1
    assert store.add([event(2)]) == [Outcome.STORED]


def test_a_connection_that_ends_in_the_middle_is_the_servers_fault_and_passes(server: Engine, open_store: Open) -> None:
    store = open_store(server)
    with ThreadPoolExecutor() as pool, locked(server) as connection:
        adding = pool.submit(store.add, [event(1)])

        def has_ended() -> bool:
            kill_others(connection)
            return adding.done()

        until(has_ended)
        with pytest.raises(StoreUnavailableError):
            adding.result(timeout=SECONDS)
    assert store.add([event(1)]) == [Outcome.STORED]


@pytest.mark.parametrize("call", ["add", "find"])
def test_a_lock_is_not_waited_for_without_end(server: Engine, open_store: Open, call: str) -> None:
    store = (
        open_store(server, options="-c lock_timeout=100ms")
        if server.dialect.name == "postgresql"
        else open_store(server, "SET SESSION lock_wait_timeout = 1")
    )
    store.check()
    with locked(server), pytest.raises(StoreUnavailableError):
        _ = store.add([event(1)]) if call == "add" else store.find_page(EventFilter(), PageRequest())
    assert store.add([event(1)]) == [Outcome.STORED]


def test_a_server_that_may_only_be_read_is_read_and_left_for_another_connection(
    server: Engine, open_store: Open
) -> None:
    SqlEventStore(server).add([event(1)])
    store = (
        open_store(server, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        if (server.dialect.name == "postgresql")
        else open_store(server, "SET SESSION TRANSACTION READ ONLY")
    )
    before = connection_id(store, server)
    assert store.get(event(1).event_id) == event(1)
    with pytest.raises(StoreUnavailableError):
        store.add([event(2)])
    assert connection_id(store, server) != before


def connection_id(store: SqlEventStore, server: Engine) -> int:
    own = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}[server.dialect.name]
    with store._engine.connect() as connection:  # noqa: SLF001 - only this test needs the connection
        return int(connection.exec_driver_sql(own).scalar_one())


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_away_makes_the_store_unavailable(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"{scheme}://user:hunter2@127.0.0.1:{unused.getsockname()[1]}/audit"
        with databases.opened(url) as engine, pytest.raises(StoreUnavailableError) as caught:
            SqlEventStore(engine).add([event()])
    assert "hunter2" not in told(caught.value)


@pytest.mark.parametrize(("scheme", "timeout"), [("postgresql", "connect_timeout=2"), ("mysql", "read_timeout=1")])
def test_a_server_that_says_nothing_is_not_waited_for_without_end(scheme: str, timeout: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://user@127.0.0.1:{silent.getsockname()[1]}/audit?{timeout}"
        started = time.monotonic()
        with databases.opened(url) as engine, pytest.raises(StoreUnavailableError):
            SqlEventStore(engine).check()
    assert time.monotonic() - started < 60  # and not without end


def test_a_wrong_password_makes_the_store_unavailable(mariadb: Engine) -> None:
    url = mariadb.url.set(username="nobody", password="hunter2").render_as_string(hide_password=False)
    with databases.opened(url) as engine, pytest.raises(StoreUnavailableError):
        SqlEventStore(engine).check()


def test_a_database_without_tables_makes_the_store_unavailable(server: Engine) -> None:
    other = databases.POSTGRESQL if server.dialect.name == "postgresql" else databases.MARIADB
    with databases.throwaway(other) as url, databases.opened(url) as engine:
        store = SqlEventStore(engine)
        with pytest.raises(StoreUnavailableError):
            store.add([event()])
        with pytest.raises(StoreUnavailableError):
            store.check()


@pytest.mark.parametrize(
    "changed",
    [
        {"event_data": {"a": 2**70}},
        {"event_data": {"a": "\0hunter2"}},
        {"customer_id": 2**70},
        {"customer_id": "hunter2"},
        {"event_type": None},
        {"event_type": "hunter2" * 100},
        {"recorded_by": "hunter2\ud800"},
        {"recorded_by": "hunter2\udc80"},  # noqa: PT014 - PyMySQL would send it as the byte 80
        {"event_id": "hunter2" * 10},
    ],
)
def test_an_event_that_the_database_cannot_hold_is_not_storable_and_not_quoted(
    server: Engine, changed: dict[str, Any]
) -> None:
    store = SqlEventStore(server)
    bad = event(2, event_data={"b": "hunter2"}, event_type="hunter2").model_copy(update=changed)
    with pytest.raises(EventNotStorableError) as caught:
        store.add([event(1), bad])
    assert "hunter2" not in told(caught.value)
    assert store.get(event(1).event_id) is None
    assert store.add([event(1)]) == [Outcome.STORED]


def test_postgresql_commits_to_disk_whatever_its_default_is(postgresql: Engine, open_store: Open) -> None:
    def synchronous_commit(given: str) -> object:
        store = open_store(postgresql, options=f"-c synchronous_commit={given}")
        with store._engine.connect() as connection:  # noqa: SLF001 - a setting of the session
            return connection.exec_driver_sql("SHOW synchronous_commit").scalar()

    kept = ["remote_write", "on", "remote_apply"]
    assert [synchronous_commit(given) for given in ["off", "local", *kept]] == ["on", "on", *kept]


def test_mariadb_takes_no_value_that_it_would_have_to_change(mariadb: Engine, open_store: Open) -> None:
    with open_store(mariadb)._engine.connect() as connection:  # noqa: SLF001 - settings of the session
        mode, isolation, charset = connection.exec_driver_sql(
            "SELECT @@sql_mode, @@tx_isolation, @@character_set_client"
        ).one()
    assert "STRICT_ALL_TABLES" in mode
    assert (isolation, charset) == ("READ-COMMITTED", "utf8mb4")


def test_a_partition_that_is_missing_is_not_the_events_fault() -> None:
    with databases.throwaway(databases.POSTGRESQL) as url, databases.opened(url) as engine:
        migrate(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE events DETACH PARTITION events_default")
        with pytest.raises(StoreUnavailableError) as caught:
            SqlEventStore(engine).add([event(event_type="hunter2")])
        assert "hunter2" not in told(caught.value)


def test_an_id_whose_event_was_taken_away_by_hand_holds_up_that_event_only(postgresql: Engine) -> None:
    databases.empty(postgresql)
    store = SqlEventStore(postgresql)
    store.add([event(1)])
    with postgresql.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events")
    with pytest.raises(EventNotStorableError):
        store.add([event(1), event(2)])
    assert store.add([event(2)]) == [Outcome.STORED]


@pytest.mark.parametrize(
    ("scheme", "driver", "extra"), [("postgres", "psycopg", "postgres"), ("mariadb", "pymysql", "mysql")]
)
def test_a_driver_that_is_missing_is_named_by_its_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, driver: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)  # as if it were not installed
    with pytest.raises(InvalidSettingsError, match=rf"audit-log-service\[{extra}\]") as caught:
        open_engine(f"{scheme}://user:hunter2@host/db")
    assert "hunter2" not in told(caught.value)


def test_a_url_that_names_another_driver_is_refused() -> None:
    with pytest.raises(InvalidSettingsError, match=r"remove \+asyncpg"):
        open_engine("postgresql+asyncpg://user:hunter2@host/db")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_has_several_schemes(postgresql: Engine, scheme: str) -> None:
    url = make_url(postgresql.url).set(drivername=scheme).render_as_string(hide_password=False)
    with databases.opened(url) as engine:
        assert SqlEventStore(engine).check() == {"database": "postgresql"}


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_mysql_has_several_schemes(mariadb: Engine, scheme: str) -> None:
    url = make_url(mariadb.url).set(drivername=scheme).render_as_string(hide_password=False)
    with databases.opened(url) as engine:
        assert SqlEventStore(engine).check() == {"database": "mysql"}
