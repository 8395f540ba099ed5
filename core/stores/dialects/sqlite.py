"""SQLite, by Python's own sqlite3."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import URL, ColumnElement, Connection, and_, func, or_
from sqlalchemy.exc import IntegrityError

from core.models import Event
from core.queries import DataFilter, JsonScalar
from core.stores.dialects import IdTakenError, StoreDialect, common
from core.stores.json_text import to_json
from core.stores.schema import events, unix_milliseconds

_BUSY_SECONDS: Final = 5.0
_PRAGMAS: Final = (
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000:.0f}",
    "PRAGMA cache_size=-65536",  # KiB, of the pages of all indexes that a batch touches; the default is 2,000
    "PRAGMA wal_autocheckpoint=8000",  # pages, so 32 MB: what several batches touch goes to the file once
)
_COLUMNS: Final = [f"json_extract(value, '$[{place}]')" for place in range(len(events.c))]
_INSERT: Final = f"INSERT INTO events ({', '.join(events.c.keys())}) SELECT {', '.join(_COLUMNS)} FROM json_each(?)"  # noqa: S608 - names


class _SQLite:
    DRIVER = "sqlite"
    EXTRA: str | None = None
    by_ids = staticmethod(common.by_ids)
    beyond = staticmethod(common.beyond)

    def options(self, url: URL) -> Mapping[str, Any]:  # noqa: ARG002 - the others take defaults out of it
        return {}

    def set_up(self, connection: sqlite3.Connection) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        write_ahead(connection)

    def insert(self, connection: Connection, rows: Sequence[Event]) -> None:
        # One statement for all: while SQLite works, the interpreter is free for those who send events. With one for
        # each row it would be asked back after each, from a thread that seldom lets go of it.
        columns = [
            (
                row.event_id,
                row.event_type,
                row.customer_id,
                row.timestamp_utc,
                to_json(row.event_data),
                unix_milliseconds(row.received_at),
                row.recorded_by,
            )
            for row in rows
        ]
        try:
            connection.exec_driver_sql(_INSERT, (to_json(columns),))
        except IntegrityError as exc:
            if getattr(exc.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
                raise IdTakenError from None
            raise

    def json_equals(self, column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
        path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in data_filter.path)
        # The path is a bound parameter, like the value: nothing that a client sent is part of the statement.
        return or_(*(_is(column, path, value) for value in data_filter.values))

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        # Without it, SQLite would commit each statement that changes the schema by itself.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.commit()

    def refuses(self, error: BaseException) -> bool:
        return isinstance(error, sqlite3.DataError | sqlite3.IntegrityError)

    def without_values(self, error: BaseException) -> BaseException:
        return error  # SQLite names columns, not values


DIALECT: Final[StoreDialect] = _SQLite()


def _is(column: ColumnElement[Any], path: str, value: JsonScalar) -> ColumnElement[bool]:
    kind = func.json_type(column, path)
    if value is None or isinstance(value, bool):
        return kind == json.dumps(value)  # SQLite names these types like the JSON literals
    same_type = kind == "text" if isinstance(value, str) else kind.in_(["integer", "real"])
    return and_(same_type, func.json_extract(column, path) == value)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers not wait for the writer. The file remembers it, and SQLite's own waiting leaves out the switch.

    Raises:
        sqlite3.Error: the file cannot be used, or others use it for longer than the waiting lasts.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
