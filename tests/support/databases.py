"""Throwaway databases on the servers of this machine."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from core.stores.dialects import sqlite_file
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from tests.support.skipping import skip_or_fail

POSTGRESQL: Final = os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
MARIADB: Final = os.environ.get("TEST_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306")

_START: Final = {
    POSTGRESQL: "PostgreSQL is not running: `docker run -p 127.0.0.1:5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust "
    "postgres:16`, or set TEST_POSTGRESQL_URL",
    MARIADB: "MariaDB is not running: `docker run -p 127.0.0.1:3306:3306 -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 "
    "mariadb:10.11`, or set TEST_MYSQL_URL",
}


@contextmanager
def throwaway(server: str) -> Iterator[str]:
    """The URL of a new, empty database on the server, which is dropped at the end."""
    name = f"audit_log_test_{secrets.token_hex(6)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        try:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
        except OperationalError:
            skip_or_fail(_START[server])
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            _drop(admin, name)
    finally:
        admin.dispose()


def _drop(admin: Engine, name: str) -> None:
    """Drop a database in spite of transactions that a failed test left open: MariaDB would wait for them for a day."""
    with admin.connect() as connection:
        if admin.dialect.name == "postgresql":
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
            return
        sessions = connection.exec_driver_sql(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'")  # noqa: S608 - our own name
        for session in sessions.scalars().all():
            with suppress(OperationalError):  # it has just ended
                connection.exec_driver_sql(f"KILL {session}")
        connection.exec_driver_sql("SET lock_wait_timeout = 30")
        connection.exec_driver_sql(f"DROP DATABASE {name}")


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """An engine as the service opens it."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def copy_migrated(url: str | URL) -> None:
    """Create the SQLite file of a URL with the newest schema, as a copy of a migrated file, unless it exists.

    The revisions themselves take fifty times as long, and wait for the disk at each. All copies that a process makes
    have the same key of the feed's cursors.
    """
    path = sqlite_file.path_of(make_url(url))
    assert path is not None
    if not path.exists():
        sqlite_file.create(make_url(url))
        path.write_bytes(_migrated_file())


@cache
def _migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.db"
        with opened(f"sqlite:///{path}") as engine:
            migrate(engine)
        return path.read_bytes()


def empty(engine: Engine) -> None:
    """Leave a migrated database without a row."""
    tables = ["events", "clients", "ledger_batches", "ledger_nodes", "ledger_checkpoints", "ledger_origins"]
    tables += ["erasures", "dropped_months", "holds", "streams", "stream_refusals"]
    tables += ["alert_rules", "alert_memory"]
    if engine.dialect.name == "postgresql":
        tables.append("event_ids")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")  # of a failed test's open transaction
        for table in tables:
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
