"""Database connections for one unit of work: turns the errors of drivers into errors of the service."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.errors import EventNotStorableError, ReadTimeoutError, StoreUnavailableError
from core.stores.dialects import TimeLimit, dialect_of
from core.stores.engine import reading_engine

_REFUSED: Final = "The event store cannot store a value of this event."
_UNAVAILABLE: Final = "The event store is unavailable ({}): try again later."
_DENIED: Final = (
    "The event store cannot be {} by this process ({}): run it as the user of the service, or see to the permissions "
    "and the disk of the database file and its directory."
)
_DENIED_BY_CODE: Final = {"SQLITE_READONLY": "written", "SQLITE_CANTOPEN": "opened"}
_EXCEEDED: Final[Mapping[TimeLimit, str]] = {
    "statement": "The event store stopped a read that took too long ({}): ask for a shorter range of time, or for one "
    "customer_id or event_type, which have indexes, or try again later.",
    "lock": "The event store is locked by another connection, and a read waits only briefly ({}): try again later.",
}


@contextmanager
def open_connection(engine: Engine) -> Iterator[Connection]:
    """Open a connection for one unit of work, and roll back uncommitted changes at its end.

    Raises:
        StoreUnavailableError: the database is unreachable, locked, full, read-only or broken.
        EventNotStorableError: the database rejects a value.
    """
    dialect = dialect_of(engine)
    driver_errors = (DBAPIError, engine.dialect.loaded_dbapi.Error)  # dialects also use the driver directly
    try:
        with engine.connect() as connection:
            try:
                yield connection
                dialect.check_connection(connection)
            except driver_errors as exc:
                if not dialect.is_data_error(_driver_error(exc)):
                    # The server may have become read-only in a failover: let the next call open a new connection.
                    connection.invalidate()
                raise
    except driver_errors as exc:
        error = _driver_error(exc)
        # The cause is logged, and messages of some drivers quote values.
        cause = dialect.redacted(error)
        if dialect.is_data_error(error):
            raise EventNotStorableError(_REFUSED) from cause
        if engine.url.host is None and engine.url.database:
            cause.add_note(f"database file: {engine.url.database}")  # a full disk is to be found
        raise StoreUnavailableError(_unavailable(_code(error))) from cause
    except PoolTimeoutError as exc:
        raise StoreUnavailableError(_UNAVAILABLE.format("all connections are in use")) from exc
    except (StatementError, OverflowError, UnicodeEncodeError) as exc:
        # Raised before the database was asked: a value that does not fit into UTF-8 or 64 bits.
        raise EventNotStorableError(_REFUSED) from exc


@contextmanager
def open_read_connection(engine: Engine) -> Iterator[Connection]:
    """Open a connection for one read, which must end within the engine's `ReadLimits`.

    Raises:
        ReadTimeoutError: it took longer.
        StoreUnavailableError: see `open_connection`.
    """
    dialect = dialect_of(engine)
    try:
        with open_connection(reading_engine(engine)) as connection:
            yield connection
    except TimeoutError:
        raise ReadTimeoutError(_EXCEEDED["statement"].format("several statements")) from None
    except StoreUnavailableError as exc:
        if exc.__cause__ is None or (limit := dialect.exceeded_limit(exc.__cause__)) is None:
            raise
        raise ReadTimeoutError(_EXCEEDED[limit].format(_code(exc.__cause__))) from exc.__cause__


def _unavailable(code: str) -> str:
    for prefix, denied in _DENIED_BY_CODE.items():
        if code.startswith(prefix):  # SQLite's extended codes begin with the primary one
            return _DENIED.format(denied, code)
    return _UNAVAILABLE.format(code)


def _code(error: BaseException) -> str:
    """Return the database's code of an error. Its message may name hosts and accounts, and clients get to see this."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    if code is None and error.args and isinstance(error.args[0], int):  # MySQL
        code = error.args[0]
    return str(code or type(error).__name__)


def _driver_error(error: BaseException) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error
