"""Implementations that several dialects share."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, delete, literal, select, tuple_

from core.domain.models import Event
from core.domain.queries import EventFilter, Position
from core.stores.dialects import AccessPlan
from core.stores.schema import EVENT_COLUMNS, events


def delete_by_ids(connection: Connection, rows: Sequence[Event]) -> None:
    """See `StoreDialect.delete`."""
    connection.execute(delete(events).where(events.c.event_id.in_([row.event_id for row in rows])))


def select_by_ids(event_ids: Sequence[str]) -> Select[Any]:
    """Return a query for the events with these ids, by primary key."""
    return select(*EVENT_COLUMNS).where(events.c.event_id.in_(event_ids))


def keyset_condition(place: Position, *, descending: bool) -> ColumnElement[bool]:
    """Return the condition that an event follows `place`, as a row comparison."""
    time, event_id = events.c.timestamp_utc, events.c.event_id
    key = tuple_(literal(place.timestamp_utc, time.type), literal(place.event_id, event_id.type))
    return tuple_(time, event_id) < key if descending else tuple_(time, event_id) > key


def create_database(_url: URL) -> None:
    """Leave the creation of databases to the administrator of the server."""


def begin_write(_connection: Connection) -> None:
    """Leave it to the driver, which begins a transaction with the first statement."""


def set_up_engine(_engine: Engine) -> None:
    """Prepare nothing."""


def set_up_writes(_engine: Engine) -> None:
    """Prepare nothing."""


def begin_erasing(_connection: Connection) -> None:
    """Rely on the locks of rows."""


def keep_holds(_connection: Connection) -> None:
    """Rely on the transaction, which excludes other writers."""


def change_holds(_connection: Connection) -> None:
    """Rely on the lock that the INSERT takes."""


def replace_terms(_connection: Connection, _before: Sequence[Event], _after: Sequence[Event]) -> None:
    """Have no separate index."""


def check_connection(_connection: Connection) -> None:
    """Rely on the server, which has one database of a name."""


def plan_access(_connection: Connection, _event_filter: EventFilter, _enough: int) -> AccessPlan:
    """Leave the plan to the database's optimizer."""
    return AccessPlan()
