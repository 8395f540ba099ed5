"""The migrations lead to the schema that the code speaks to, from anywhere, once."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from core.errors import InvalidSettingsError, StoreUnavailableError
from core.stores.engine import open_engine
from core.stores.migrate import migrate
from core.stores.schema import metadata
from core.stores.sql import SqlEventStore
from tests.builders import event

ROOT = Path(__file__).parents[2]
MIGRATE = """
import sys
from core.stores.engine import open_engine
from core.stores.migrate import migrate
print("ready", flush=True)
input()
print(migrate(open_engine(sys.argv[1])))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit-log.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def test_a_migrated_database_is_what_the_code_speaks_to(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_database_that_differs_would_be_noticed(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_events_time")
        connection.exec_driver_sql("ALTER TABLE events DROP COLUMN recorded_by")
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [difference[0] for difference in differences] == ["add_column", "add_index"]


def test_migrating_again_changes_nothing_and_keeps_what_is_stored(engine: Engine) -> None:
    before, newest = migrate(engine)
    assert before is None
    SqlEventStore(engine).add([event()])
    assert migrate(engine) == (newest, newest)
    assert SqlEventStore(engine).get(event().event_id) == event()


def test_a_database_from_the_future_is_refused_and_left_as_it_is(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InvalidSettingsError, match="newer version of this service"):
        migrate(engine)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "9999"


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, engine: Engine) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE obstacle (a)")
        connection.execute("CREATE INDEX ix_events_time ON obstacle (a)")
    connection.close()
    with pytest.raises(StoreUnavailableError, match="ix_events_time already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["obstacle"]


def test_several_processes_may_migrate_at_once(path: Path) -> None:
    program = [sys.executable, "-c", MIGRATE, f"sqlite:///{path}"]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        assert [process.stdout and process.stdout.readline() for process in processes] == ["ready\n"] * 3
        with ThreadPoolExecutor() as pool:
            outputs = list(pool.map(lambda process: process.communicate("go\n", timeout=30)[0], processes))
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(output.strip() for output in outputs) == ["('0003', '0003')", "('0003', '0003')", "(None, '0003')"]


def test_another_writer_of_a_new_database_is_waited_for(path: Path, engine: Engine) -> None:
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as pool:
        migrated = pool.submit(migrate, engine)
        with pytest.raises(TimeoutError):
            migrated.result(timeout=0.2)
        writer.execute("COMMIT")
        assert migrated.result(timeout=5)[0] is None
    writer.close()
