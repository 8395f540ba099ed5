"""Connections, with the driver's errors in the words of the domain."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.errors import EventNotStorableError, StoreUnavailableError
from core.stores.dialects import dialect_of

_REFUSED = "The event store refuses the event for what it holds."
_UNAVAILABLE = "The event store cannot be used at the moment ({}): try again later."


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection for one piece of work; what is not committed by its end is rolled back.

    Raises:
        StoreUnavailableError: the database cannot be reached, is locked, full, read-only or broken.
        EventNotStorableError: the database refuses a value.
    """
    dialect = dialect_of(engine)
    driver_errors = (DBAPIError, engine.dialect.loaded_dbapi.Error)  # some statements go to the driver directly
    try:
        with engine.connect() as connection:
            try:
                yield connection
            except driver_errors as exc:
                if not dialect.refuses(_driver_error(exc)):
                    # It may lead to a server that became read-only in a failover: the next call opens another.
                    connection.invalidate()
                raise
    except driver_errors as exc:
        error = _driver_error(exc)
        # Some drivers quote values, and what an event holds must not go to the log with the error.
        if dialect.refuses(error):
            raise EventNotStorableError(_REFUSED) from dialect.without_values(error)
        raise StoreUnavailableError(_UNAVAILABLE.format(_code(error))) from dialect.without_values(error)
    except PoolTimeoutError as exc:
        raise StoreUnavailableError(_UNAVAILABLE.format("all connections are busy")) from exc
    except (StatementError, OverflowError, UnicodeEncodeError) as exc:
        # A value that cannot be written as UTF-8 or in 64 bits; no database was asked.
        raise EventNotStorableError(_REFUSED) from exc


def _code(error: BaseException) -> str:
    """What the database calls the trouble. Not its words: they may name hosts and accounts, and anybody reads this."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    if code is None and error.args and isinstance(error.args[0], int):  # MySQL's numbers
        code = error.args[0]
    return str(code or type(error).__name__)


def _driver_error(error: BaseException) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error
