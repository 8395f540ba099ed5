"""Connections, with the driver's errors in the words of the domain."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.errors import EventNotStorableError, ReadTimeoutError, StoreUnavailableError
from core.stores.dialects import TimeLimit, dialect_of
from core.stores.engine import reading_engine

_REFUSED = "The event store refuses the event for what it holds."
_UNAVAILABLE = "The event store cannot be used at the moment ({}): try again later."
_EXCEEDED: Final[Mapping[TimeLimit, str]] = {
    "statement": "The event store stopped a read that took too long ({}): ask for a shorter range of time, or for one "
    "customer_id or event_type, which have indexes, or try again later.",
    "lock": "The event store is locked by another connection, and a read does not wait for long ({}): try again later.",
}


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


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for one read, which has to be over within the `ReadLimits` of the engine.

    Raises:
        ReadTimeoutError: it took longer.
        StoreUnavailableError: as `connected`.
    """
    dialect = dialect_of(engine)
    try:
        with connected(reading_engine(engine)) as connection:
            yield connection
    except TimeoutError:
        raise ReadTimeoutError(_EXCEEDED["statement"].format("several statements")) from None
    except StoreUnavailableError as exc:
        if exc.__cause__ is None or (limit := dialect.exceeded(exc.__cause__)) is None:
            raise
        raise ReadTimeoutError(_EXCEEDED[limit].format(_code(exc.__cause__))) from exc.__cause__


def _code(error: BaseException) -> str:
    """What the database calls the trouble. Not its words: they may name hosts and accounts, and anybody reads this."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    if code is None and error.args and isinstance(error.args[0], int):  # MySQL's numbers
        code = error.args[0]
    return str(code or type(error).__name__)


def _driver_error(error: BaseException) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error
