"""Connections, with the driver's errors in the words of the domain."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.errors import EventNotStorableError, StoreUnavailableError


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection for one piece of work; what is not committed by its end is rolled back.

    Raises:
        StoreUnavailableError: the database cannot be reached, is locked, full or broken.
        EventNotStorableError: the database refuses a value.
    """
    try:
        with engine.connect() as connection:
            yield connection
    except (DataError, IntegrityError, OverflowError, UnicodeEncodeError) as exc:
        raise EventNotStorableError("The event store refuses the event for what it holds.") from exc
    except (DBAPIError, PoolTimeoutError) as exc:
        raise StoreUnavailableError("The event store cannot be used at the moment: try again later.") from exc
    except StatementError as exc:  # a value that cannot be written as JSON; no database was asked
        raise EventNotStorableError("The event store refuses the event for what it holds.") from exc
