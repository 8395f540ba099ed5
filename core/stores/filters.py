"""An `EventFilter` in the terms of the table."""

from sqlalchemy import ColumnElement, and_, true

from core.domain.queries import EventFilter
from core.stores.dialects import StoreDialect
from core.stores.schema import events


def column_filters(wanted: EventFilter) -> ColumnElement[bool]:
    """All of the filter that is in columns of its own: types, customers, times."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.event_types:
        conditions.append(events.c.event_type.in_(wanted.event_types))
    if wanted.customers is not None:
        conditions.append(events.c.customer_id.in_(wanted.customers))
    if wanted.start is not None:
        conditions.append(events.c.timestamp_utc >= wanted.start)
    if wanted.end is not None:
        conditions.append(events.c.timestamp_utc <= wanted.end)
    if wanted.received_until is not None:
        conditions.append(events.c.received_at <= wanted.received_until)
    return and_(true(), *conditions)


def data_filters(wanted: EventFilter, dialect: StoreDialect) -> ColumnElement[bool]:
    """All of the filter that is about `event_data`."""
    return and_(true(), *(dialect.json_equals(events.c.event_data, data_filter) for data_filter in wanted.data))
