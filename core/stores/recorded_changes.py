"""Changes of named rows, such as of streams: each is stored together with the event that records it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from core.domain.models import Event
from core.errors import NameTakenError
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event


@contextmanager
def recorded_change(engine: Engine, record: Event, name_taken: str) -> Iterator[Connection]:
    """Open a transaction that ends with the insertion of `record`.

    Raises:
        NameTakenError: another row has the name; the message is `name_taken`.
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    dialect = dialect_of(engine)
    with open_connection(engine) as connection:
        dialect.begin_write(connection)
        try:
            yield connection
        except IntegrityError as exc:
            if dialect.is_duplicate_key(exc.orig):
                raise NameTakenError(name_taken) from None
            raise
        insert_own_event(connection, dialect, record)
        connection.commit()
