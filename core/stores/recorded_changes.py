"""Changes of named rows, such as of streams: each is stored together with the event that records it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from core.domain.models import Event
from core.errors import NameTakenError
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event


def unique_name(name: str, customers: Sequence[int] | None) -> str:
    """Return what the unique column for a name has, for a row that is limited to these customers; None: to none.

    Rows that are limited to others may have the same name: a token that does not see these must not learn of them.
    """
    if customers is None:
        return name
    scope = hashlib.sha256(orjson.dumps([sorted(set(customers)), name])).hexdigest()
    return f" {scope}"  # no name begins with a space


@contextmanager
def recorded_change(engine: Engine, record: Event, name_taken: str) -> Iterator[Connection]:
    """Open a transaction that ends with the insertion of `record`.

    Raises:
        NameTakenError: another row has the name, see `unique_name`; the message is `name_taken`.
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
