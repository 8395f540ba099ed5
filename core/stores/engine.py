"""Database engines, each set up so that a commit that returned is on disk."""

from typing import Any, Final

import orjson
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from core.errors import InvalidSettingsError

_SQLITE_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",  # readers do not wait for the writer
    "PRAGMA synchronous=FULL",  # a commit is on disk when it returns
    "PRAGMA busy_timeout=5000",  # milliseconds
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
    engine = create_engine(url, json_serializer=_to_json, json_deserializer=orjson.loads)
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
