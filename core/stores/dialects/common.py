"""What two of the databases have in common."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, literal, select, tuple_

from core.domain.queries import EventFilter, Position
from core.stores.dialects import Access
from core.stores.schema import events


def by_ids(event_ids: Sequence[str]) -> Select[Any]:
    """The events with these ids, read by the primary key."""
    return select(events).where(events.c.event_id.in_(event_ids))


def keyset_condition(place: Position, *, descending: bool) -> ColumnElement[bool]:
    """That an event comes after `place`, as a comparison of rows."""
    time, event_id = events.c.timestamp_utc, events.c.event_id
    there = tuple_(literal(place.timestamp_utc, time.type), literal(place.event_id, event_id.type))
    return tuple_(time, event_id) < there if descending else tuple_(time, event_id) > there


def access(_connection: Connection, _event_filter: EventFilter, _enough: int) -> Access:
    """As the database decides."""
    return Access()
