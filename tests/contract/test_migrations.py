"""The migrations lead to the schema that the code speaks to, from anywhere, once."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, insert, inspect, select, text

from core.domain.queries import DataFilter, EventFilter, PageRequest
from core.errors import InvalidSettingsError, StoreUnavailableError
from core.stores import migrations
from core.stores.dialects import dialect_of
from core.stores.dialects.postgresql import postgresql_metadata
from core.stores.migrations.revision import check_revision
from core.stores.migrations.upgrade import migrate
from core.stores.schema import events, metadata, service_keys
from core.stores.sql import SqlEventStore
from tests.support import databases
from tests.support.builders import event
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]
MIGRATIONS = Path(migrations.__file__).parent
MIGRATE = """
import sys
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
print("ready", flush=True)
input()
print(migrate(open_engine(sys.argv[1])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit-log.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    with databases.opened(f"sqlite:///{path}") as engine:
        yield engine


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def new_database(request: pytest.FixtureRequest, path: Path) -> Iterator[Engine]:
    """A database of each kind without a table."""
    server = {"sqlite": None, "postgresql": databases.POSTGRESQL, "mariadb": databases.MARIADB}[request.param]
    with ExitStack() as stack:
        url = stack.enter_context(databases.throwaway(server)) if server else f"sqlite:///{path}"
        yield stack.enter_context(databases.opened(url))


def test_a_process_that_only_looks_knows_the_newest_revision(engine: Engine) -> None:
    migrate(engine)
    assert check_revision(engine) == {"revision": ScriptDirectory(str(MIGRATIONS)).get_current_head()}


def test_a_database_at_another_revision_is_told_with_what_to_do(new_database: Engine) -> None:
    with pytest.raises(StoreUnavailableError):
        check_revision(new_database)  # no table yet
    migrate(new_database)
    assert check_revision(new_database)
    with new_database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(StoreUnavailableError, match=r"revision 0001, .*: run `audit-log migrate`"):
        check_revision(new_database)


def differences(connection: Connection) -> list[Any]:
    """What a migrated database has too much or too little, aside from what only PostgreSQL or only SQLite has."""

    def is_ours(name: str | None, _kind: str, parents: Mapping[str, Any]) -> bool:
        if (parents.get("table_name"), name) == ("events", "number"):
            return False
        return name not in {"events_default", "ix_events_data"} and not (name or "").startswith("event_terms")

    context = MigrationContext.configure(connection, opts={"include_name": is_ours})
    tables = [metadata, postgresql_metadata] if connection.dialect.name == "postgresql" else metadata
    found: list[Any] = compare_metadata(context, tables)  # type: ignore[arg-type]  # a sequence is taken too
    return found


def test_a_migrated_database_is_what_the_code_speaks_to(new_database: Engine) -> None:
    migrate(new_database)
    with new_database.connect() as connection:
        assert differences(connection) == []


def test_a_database_that_differs_would_be_noticed(new_database: Engine) -> None:
    migrate(new_database)
    on_table = " ON events" if new_database.dialect.name == "mysql" else ""
    with new_database.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX ix_events_time{on_table}")
        connection.exec_driver_sql("ALTER TABLE events DROP COLUMN recorded_by")
        found = differences(connection)
    assert [difference[0] for difference in found] == ["add_column", "add_index"]


def test_migrating_again_changes_nothing_and_keeps_what_is_stored(new_database: Engine) -> None:
    before, newest = migrate(new_database)
    assert before is None
    SqlEventStore(new_database).add([event()])
    assert migrate(new_database) == (newest, newest)
    assert SqlEventStore(new_database).get(event().event_id) == event()


def test_a_database_from_the_future_is_refused_and_left_as_it_is(new_database: Engine) -> None:
    migrate(new_database)
    with new_database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InvalidSettingsError, match="newer version of this service"):
        migrate(new_database)
    with new_database.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "9999"


def test_every_migration_can_be_undone(new_database: Engine) -> None:
    migrate(new_database)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with new_database.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(new_database).get_table_names() == ["alembic_version"]
    assert migrate(new_database)[0] is None


def test_events_from_before_the_index_of_their_data_are_found_by_it(engine: Engine) -> None:
    migrate(engine)
    given = [event(number, event_data={"a": [number % 7]}) for number in range(100)]
    SqlEventStore(engine).add(given)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    assert migrate(engine)[0] == "0003"
    wanted = EventFilter(data=(DataFilter(path=("a", 0), values=(3,)),))
    assert SqlEventStore(engine).find_page(wanted, PageRequest(order="asc")).events == given[3::7]


def test_events_that_the_version_before_stores_after_the_migration_are_found(new_database: Engine) -> None:
    """Workers of both versions run side by side during an upgrade."""
    migrate(new_database)
    with new_database.begin() as connection:
        connection.execute(insert(events).values(dict(event())))  # without the columns of the ledger
    assert SqlEventStore(new_database).find_page(EventFilter(), PageRequest()).events == [event()]


def test_a_database_has_a_random_key_for_the_cursors_of_the_feed(new_database: Engine, tmp_path: Path) -> None:
    with databases.opened(f"sqlite:///{tmp_path / 'other.db'}") as other:
        keys = [feed_key(engine) for engine in (new_database, other)]
    assert [len(key) for key in keys] == [32, 32]
    assert keys[0] != keys[1]


def feed_key(engine: Engine) -> bytes:
    migrate(engine)
    with engine.connect() as connection:
        [(name, value)] = connection.execute(select(service_keys)).all()
    assert name == "feed"
    return bytes(value)


def test_a_migration_that_was_interrupted_on_mysql_is_taken_up_again() -> None:
    with databases.throwaway(databases.MARIADB) as url, databases.opened(url) as engine:
        migrate(engine)
        with engine.begin() as connection:  # tables were made, and their revision was not written any more
            connection.exec_driver_sql("DELETE FROM alembic_version")
        assert migrate(engine)[0] is None


def test_a_migration_that_fails_on_postgresql_leaves_nothing_behind() -> None:
    with databases.throwaway(databases.POSTGRESQL) as url, databases.opened(url) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE clients (a int)")
        with pytest.raises(StoreUnavailableError, match='"clients" already exists'):
            migrate(engine)
        assert inspect(engine).get_table_names() == ["clients"]


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, engine: Engine) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE obstacle (a)")
        connection.execute("CREATE INDEX ix_events_time ON obstacle (a)")
    with pytest.raises(StoreUnavailableError, match="ix_events_time already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["obstacle"]


def test_several_processes_may_migrate_at_once(new_database: Engine) -> None:
    program = [sys.executable, "-c", MIGRATE, new_database.url.render_as_string(hide_password=False)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        assert [process.stdout and process.stdout.readline() for process in processes] == ["ready\n"] * 3
        with ThreadPoolExecutor() as pool:
            outputs = list(pool.map(lambda process: process.communicate("go\n", timeout=SECONDS)[0], processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    newest = check_revision(new_database)["revision"]
    assert sorted(output.strip() for output in outputs) == [f"({newest!r}, {newest!r})"] * 2 + [f"(None, {newest!r})"]


@pytest.mark.parametrize("server", [databases.POSTGRESQL, databases.MARIADB], ids=["postgresql", "mariadb"])
def test_who_comes_second_waits_for_the_first(server: str) -> None:
    with databases.throwaway(server) as url, databases.opened(url) as first, databases.opened(url) as second:
        dialect = dialect_of(first)
        with ThreadPoolExecutor() as pool, first.connect() as connection:
            with dialect.migration_transaction(connection):
                migrated = pool.submit(migrate, second)
                with pytest.raises(TimeoutError):
                    migrated.result(timeout=0.3)
            assert migrated.result(timeout=SECONDS)[0] is None


def test_another_writer_of_a_new_database_is_waited_for(path: Path, engine: Engine) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer, ThreadPoolExecutor() as pool:
        writer.execute("BEGIN IMMEDIATE")
        migrated = pool.submit(migrate, engine)
        with pytest.raises(TimeoutError):
            migrated.result(timeout=0.2)
        writer.execute("COMMIT")
        assert migrated.result(timeout=SECONDS)[0] is None
