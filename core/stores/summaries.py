"""Summaries of events on a SQL database: bounded in cost, because each query looks at a bounded number of rows."""

from collections import Counter
from itertools import product
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, Subquery, case, func, select, union_all

from core.domain.queries import EventFilter
from core.domain.summaries import (
    Bucket,
    CustomerCount,
    Frequencies,
    Summary,
    TypeCount,
    bucket_seconds,
    bucket_starts,
)
from core.stores.dialects import dialect_of
from core.stores.engine import reading
from core.stores.filters import column_filters, data_filters
from core.stores.schema import events

COUNTED: Final = 200_000
"""Index entries that the counts over time look at, the newest that match; see docs/decisions/0021."""
SAMPLED: Final = 10_000
"""Events whose content is looked at. Each may be somewhere else in the table, which costs far more than an entry."""
_MOST_FREQUENT: Final = 50
_MOST_STRANDS: Final = 100

_Value = TypeVar("_Value", str, int)


class SqlEventSummaries:
    """Implements `EventSummaries`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)

    def summarize(self, event_filter: EventFilter) -> Summary:
        """See `EventSummaries.summarize`."""
        slices = _strands(event_filter)
        with reading(self._engine) as connection:
            span = _span(connection, event_filter, slices)
            if span is None:
                return _nothing(event_filter)
            width = bucket_seconds(*span)
            counts, since = self._counts(connection, event_filter, slices, width)
            frequent = self._frequencies(connection, event_filter, slices)
        start, end = span
        return Summary(
            start=start,
            end=end,
            bucket_seconds=width,
            buckets=[Bucket(start=at, count=counts[at]) for at in bucket_starts(start, end, width)],
            total_count=counts.total(),
            total_relation="eq" if since is None else "gte",
            counted_from=start if since is None else since,
            frequent=frequent,
        )

    def _counts(
        self, connection: Connection, wanted: EventFilter, slices: list[EventFilter], width: int
    ) -> tuple[Counter[int], int | None]:
        """Events by the start of their bucket, and from which second on these are all; None: they all are."""
        limit = (SAMPLED if wanted.data else COUNTED) // len(slices)
        queries: list[Select[Any]] = []
        for strand in slices:
            seen = self._newest(strand, wanted, limit, events.c.timestamp_utc)
            bucket = seen.c.timestamp_utc - seen.c.timestamp_utc % width
            looked_at, oldest = func.sum(func.count()).over(), func.min(func.min(seen.c.timestamp_utc)).over()
            queries.append(select(bucket, func.sum(seen.c.matches), looked_at, oldest).group_by(bucket))
        counts: Counter[int] = Counter()
        since = None
        for at, count, looked_at_count, oldest_time in connection.execute(union_all(*queries)):
            counts[at] += int(count)
            if looked_at_count >= limit:  # of the oldest second that was reached some may be left
                since = max(since or 0, oldest_time + 1)
        return counts, since

    def _frequencies(self, connection: Connection, wanted: EventFilter, slices: list[EventFilter]) -> Frequencies:
        limit = SAMPLED // len(slices)
        queries: list[Select[Any]] = []
        for strand in slices:
            seen = self._newest(strand, wanted, limit, events.c.event_type, events.c.customer_id)
            key = (seen.c.event_type, seen.c.customer_id)
            looked_at = func.sum(func.count()).over()
            queries.append(select(*key, func.sum(seen.c.matches), looked_at).group_by(*key))
        types: Counter[str] = Counter()
        customers: Counter[int] = Counter()
        is_all = True
        for event_type, customer_id, count, looked_at_count in connection.execute(union_all(*queries)):
            types[event_type] += int(count)
            customers[customer_id] += int(count)
            is_all = is_all and looked_at_count < limit
        return Frequencies(
            event_types=[TypeCount(event_type=value, count=count) for value, count in _top(types)],
            customers=[CustomerCount(customer_id=value, count=count) for value, count in _top(customers)],
            sample=types.total(),
            sample_relation="eq" if is_all else "gte",
        )

    def _newest(self, strand: EventFilter, wanted: EventFilter, limit: int, *columns: ColumnElement[Any]) -> Subquery:
        """`columns` of the newest `limit` events of a strand, and whether each `matches` all that is wanted."""
        matches = case((data_filters(wanted, self._dialect), 1), else_=0).label("matches")
        newest = select(*columns, matches).where(column_filters(strand)).order_by(events.c.timestamp_utc.desc())
        return newest.limit(limit).subquery()


def _strands(wanted: EventFilter) -> list[EventFilter]:
    """The filter's columns, divided by type and customer: of each strand an index knows the newest without sorting.

    Of a list of types or customers it does not, and the database would read every match. Where there are too many
    strands for one statement it has to.
    """
    customers: tuple[int, ...] = wanted.customer_ids
    if wanted.visible_customers is not None:
        customers = tuple(c for c in wanted.visible_customers if c in customers or not customers)
        if not customers:
            return []
    by_type: list[tuple[str, ...]] = [(value,) for value in wanted.event_types] or [()]
    by_customer: list[tuple[int, ...]] = [(value,) for value in dict.fromkeys(customers)] or [()]
    undivided = wanted.model_copy(update={"data": ()})
    if len(by_type) * len(by_customer) > _MOST_STRANDS:
        return [undivided]
    return [
        undivided.model_copy(update={"event_types": types, "customer_ids": ids, "visible_customers": None})
        for types, ids in product(by_type, by_customer)
    ]


def _span(connection: Connection, wanted: EventFilter, slices: list[EventFilter]) -> tuple[int, int] | None:
    """From the first second to the last that the filter names, or else that events of the strands have."""
    if not slices:
        return None
    time = events.c.timestamp_utc
    edges = [
        select(
            *(
                select(time).where(column_filters(strand)).order_by(order).limit(1).scalar_subquery()
                for order in (time.asc(), time.desc())
            )
        )
        for strand in slices
    ]
    found = [row for row in connection.execute(union_all(*edges)) if row[0] is not None]
    if not found:
        return None
    oldest, newest = min(row[0] for row in found), max(row[1] for row in found)
    return oldest if wanted.start is None else wanted.start, newest if wanted.end is None else wanted.end


def _top(counter: Counter[_Value]) -> list[tuple[_Value, int]]:
    """The most frequent, equals by value, so that two calls tell the same."""
    found = [(value, count) for value, count in counter.items() if count]
    return sorted(found, key=lambda item: (-item[1], item[0]))[:_MOST_FREQUENT]


def _nothing(wanted: EventFilter) -> Summary:
    return Summary(
        start=wanted.start,
        end=wanted.end,
        bucket_seconds=1,
        buckets=[],
        total_count=0,
        total_relation="eq",
        counted_from=wanted.start,
        frequent=Frequencies(event_types=[], customers=[], sample=0, sample_relation="eq"),
    )
