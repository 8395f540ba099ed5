"""Database engines, each set up so that a commit that returned is on disk."""

import sqlite3
import time
from typing import Any, Final

import orjson
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from core.errors import InvalidSettingsError

_BUSY_SECONDS: Final = 5.0
_SQLITE_PRAGMAS: Final = (
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000:.0f}",
)


def open_engine(url: str) -> Engine:
    """An engine for the database at `url` (SQLAlchemy's form); connects at first use.

    Raises:
        InvalidSettingsError: not a database URL, or one of a database that this version does not know.
    """
    try:
        backend = make_url(url).get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise InvalidSettingsError(
            "AUDIT_LOG_DATABASE_URL is not a database URL: use for example sqlite:////var/lib/audit-log/audit-log.db"
        ) from None
    if backend != "sqlite":
        raise InvalidSettingsError(f"AUDIT_LOG_DATABASE_URL: {backend} is not supported yet; use sqlite:///PATH")
    # hide_parameters: an error goes to the log, and what an event holds must not go with it.
    engine = create_engine(url, json_serializer=_to_json, json_deserializer=orjson.loads, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
    _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers not wait for the writer. The file remembers it, and SQLite's own waiting leaves out the switch."""
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
