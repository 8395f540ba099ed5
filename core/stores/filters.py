"""Division of an `EventFilter`: SQL conditions for what a database answers, and the rest for `matches`."""

from sqlalchemy import ColumnElement, and_, true

from core.domain.queries import EventFilter
from core.stores.dialects import StoreDialect
from core.stores.schema import events


def column_filters(event_filter: EventFilter) -> ColumnElement[bool]:
    """Return the conditions on types, customers and times."""
    conditions: list[ColumnElement[bool]] = []
    if event_filter.event_types:
        conditions.append(events.c.event_type.in_(event_filter.event_types))
    if event_filter.customers is not None:
        conditions.append(events.c.customer_id.in_(event_filter.customers))
    if event_filter.start is not None:
        conditions.append(events.c.timestamp_utc >= event_filter.start)
    if event_filter.end is not None:
        conditions.append(events.c.timestamp_utc <= event_filter.end)
    if event_filter.received_until is not None:
        conditions.append(events.c.received_at <= event_filter.received_until)
    return and_(true(), *conditions)


def data_filters(event_filter: EventFilter, dialect: StoreDialect) -> ColumnElement[bool]:
    """Return the conditions on `event_data`."""
    return and_(true(), *(dialect.json_equals(events.c.event_data, data_filter) for data_filter in event_filter.data))


def divide(event_filter: EventFilter, dialect: StoreDialect) -> tuple[EventFilter, EventFilter]:
    """Divide a filter into the part that indexes of the database answer, and the rest."""
    indexed = tuple(filter(dialect.indexes, event_filter.data))
    rest = EventFilter(
        data=tuple(data_filter for data_filter in event_filter.data if data_filter not in indexed),
        conditions=event_filter.conditions,
        words=event_filter.words,
    )
    return event_filter.model_copy(update={"data": indexed, "conditions": (), "words": ()}), rest


def is_sql(rest: EventFilter) -> bool:
    """Return whether SQL can express the rest of a filter, although no index answers it."""
    return not rest.conditions and not rest.words and all(None not in data_filter.path for data_filter in rest.data)
