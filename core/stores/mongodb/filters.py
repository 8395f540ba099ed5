"""Division of an `EventFilter`: a query for what indexes answer, and the rest for `core.domain.matching`."""

from typing import Any, Final

from pymongo.database import Database as Collections

from core.domain.queries import EventFilter, Order, Position
from core.stores.mongodb.connection import READ_SECONDS, Document
from core.stores.mongodb.terms import INCOMPLETE, is_exact, wanted_terms

ASCENDING: Final = 1
DESCENDING: Final = -1


def to_query(event_filter: EventFilter, *, with_incomplete: bool) -> Document:
    """Return the query for the events that fulfil what indexes answer of the filter: not its conditions and words.

    Args:
        event_filter: The filter.
        with_incomplete: Whether events that are not indexed as a whole are among the results, whatever their values.
    """
    query: list[Document] = []
    if event_filter.event_types:
        query.append({"event_type": one_of(event_filter.event_types)})
    if event_filter.customers is not None:
        query.append({"customer_id": one_of(event_filter.customers)})
    if event_filter.start is not None:
        query.append({"timestamp_utc": {"$gte": event_filter.start}})
    if event_filter.end is not None:
        query.append({"timestamp_utc": {"$lte": event_filter.end}})
    if event_filter.received_until is not None:
        query.append({"received_at": {"$lte": event_filter.received_until}})
    for data_filter in event_filter.data:
        terms = wanted_terms(data_filter)
        query.append({"terms": one_of((*terms, INCOMPLETE) if with_incomplete else terms)})
    return all_of(query)


def rest_of(collections: Collections[Document], event_filter: EventFilter) -> EventFilter | None:
    """Return what `matches` has to compare of the events that `to_query` finds; None if that is nothing."""
    is_exact_query = all(is_exact(each.path) for each in event_filter.data)
    if (
        event_filter.conditions
        or event_filter.words
        or not is_exact_query
        or _has_incomplete(collections, event_filter)
    ):
        return EventFilter(data=event_filter.data, conditions=event_filter.conditions, words=event_filter.words)
    return None


def _has_incomplete(collections: Collections[Document], event_filter: EventFilter) -> bool:
    """Whether events in question are not indexed as a whole."""
    if not event_filter.data:
        return False
    scope = to_query(event_filter.model_copy(update={"data": ()}), with_incomplete=False)
    query = all_of([scope, {"terms": INCOMPLETE}])
    return collections.events.find_one(query, {"_id": 1}, max_time_ms=int(READ_SECONDS * 1000)) is not None


def after(position: Position, order: Order) -> Document:
    """Return the condition that an event follows a position. The first part bounds the scan of an index."""
    forward, inclusive = ("$lt", "$lte") if order == "desc" else ("$gt", "$gte")
    time = position.timestamp_utc
    return all_of(
        [
            {"timestamp_utc": {inclusive: time}},
            {"$or": [{"timestamp_utc": {forward: time}}, {"timestamp_utc": time, "_id": {forward: position.event_id}}]},
        ]
    )


def sort_order(order: Order) -> list[tuple[str, int]]:
    """Return the order of a listing: by time and then id."""
    direction = DESCENDING if order == "desc" else ASCENDING
    return [("timestamp_utc", direction), ("_id", direction)]


def one_of(values: Any) -> Any:
    """Return the condition that a field has one of `values`."""
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else {"$in": distinct}


def all_of(conditions: list[Document]) -> Document:
    """Return the condition that all of `conditions` hold."""
    present = [condition for condition in conditions if condition]
    if not present:
        return {}
    return present[0] if len(present) == 1 else {"$and": present}
