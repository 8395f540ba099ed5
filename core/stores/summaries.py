"""Summaries of events in a SQL database. Each query reads a bounded number of rows: docs/decisions/0021."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, Subquery, case, func, literal, select, union_all

from core.domain.queries import EventFilter, Step
from core.domain.summaries import (
    CustomerCount,
    Frequencies,
    Summary,
    TypeCount,
    bucket_seconds,
    empty_summary,
    summary_of,
)
from core.stores.connections import open_read_connection
from core.stores.dialects import dialect_of
from core.stores.filters import column_filters, data_filters, divide, is_sql
from core.stores.schema import EVENT_COLUMNS, events
from core.stores.summary_sample import Sample, top

COUNTED: Final = 200_000
"""Number of newest matching index entries that the counts over time read."""
SAMPLED: Final = 10_000
"""Number of events whose content is read. A row costs far more than an index entry, since rows are scattered."""
EXAMINE_SECONDS: Final = 0.5
"""Time for examining events whose content only `matches` can compare."""
_ROWS_PER_FETCH: Final = 250
_MAX_SLICES: Final = 100


class SqlEventSummaries:
    """Implements `EventSummaries`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)

    def summarize(self, event_filter: EventFilter, by: Sequence[Step] = ()) -> Summary:
        """See `EventSummaries.summarize`."""
        slices = _slices(event_filter)
        _, rest = divide(event_filter, self._dialect)
        with open_read_connection(self._engine) as connection:
            span = _span(connection, event_filter, slices)
            if span is None:
                return empty_summary(event_filter, with_values=bool(by))
            width = bucket_seconds(*span)
            if by or not is_sql(rest):
                sample = self._examine(connection, Sample(event_filter, width, by), slices, span[1])
                frequent = sample.frequencies()
            else:
                frequent = self._frequencies(connection, event_filter, slices)
            if is_sql(rest):
                counts, since = self._counts(connection, event_filter, slices, width)
            else:
                counts, since = sample.buckets, sample.since
        return summary_of(span, counts, since, frequent)

    def _counts(
        self, connection: Connection, wanted: EventFilter, slices: list[EventFilter], width: int
    ) -> tuple[Counter[int], int | None]:
        """Count events by the start of their bucket; also return from which second on all are counted (None: all)."""
        limit = (SAMPLED if wanted.data else COUNTED) // len(slices)
        queries: list[Select[Any]] = []
        for part in slices:
            seen = self._newest(part, wanted, limit, events.c.timestamp_utc)
            bucket = seen.c.timestamp_utc - seen.c.timestamp_utc % width
            row_count, oldest = func.sum(func.count()).over(), func.min(func.min(seen.c.timestamp_utc)).over()
            queries.append(select(bucket, func.sum(seen.c.matches), row_count, oldest).group_by(bucket))
        counts: Counter[int] = Counter()
        since = None
        for at, count, rows_read, oldest_time in connection.execute(union_all(*queries)):
            counts[at] += int(count)
            if rows_read >= limit:  # the oldest second reached may be incomplete
                since = max(since or 0, oldest_time + 1)
        return counts, since

    def _frequencies(self, connection: Connection, wanted: EventFilter, slices: list[EventFilter]) -> Frequencies:
        limit = SAMPLED // len(slices)
        queries: list[Select[Any]] = []
        for part in slices:
            seen = self._newest(part, wanted, limit, events.c.event_type, events.c.customer_id)
            key = (seen.c.event_type, seen.c.customer_id)
            row_count = func.sum(func.count()).over()
            queries.append(select(*key, func.sum(seen.c.matches), row_count).group_by(*key))
        types: Counter[str] = Counter()
        customers: Counter[int] = Counter()
        is_complete = True
        for event_type, customer_id, count, rows_read in connection.execute(union_all(*queries)):
            types[event_type] += int(count)
            customers[customer_id] += int(count)
            is_complete = is_complete and rows_read < limit
        return Frequencies(
            event_types=[TypeCount(event_type=value, count=count) for value, count in top(types)],
            customers=[CustomerCount(customer_id=value, count=count) for value, count in top(customers)],
            sample=types.total(),
            sample_relation="eq" if is_complete else "gte",
        )

    @staticmethod
    def _examine(connection: Connection, sample: Sample, slices: list[EventFilter], end: int) -> Sample:
        limit = SAMPLED // len(slices)
        newest = [
            select(literal(number).label("slice"), *EVENT_COLUMNS)
            .where(column_filters(part))
            .order_by(events.c.timestamp_utc.desc())
            .limit(limit)
            .subquery()
            for number, part in enumerate(slices)
        ]
        # One statement: a server needs as long to plan a query of one slice as to answer it.
        streaming = connection.execution_options(yield_per=_ROWS_PER_FETCH)
        with closing(streaming.execute(union_all(*map(select, newest)))) as rows:
            sample.examine(rows, limit, EXAMINE_SECONDS, end)
        return sample

    def _newest(self, part: EventFilter, wanted: EventFilter, limit: int, *columns: ColumnElement[Any]) -> Subquery:
        """Query `columns` of the newest `limit` events of a slice, and if each event `matches` the whole filter."""
        matches = case((data_filters(wanted, self._dialect), 1), else_=0).label("matches")
        newest = select(*columns, matches).where(column_filters(part)).order_by(events.c.timestamp_utc.desc())
        return newest.limit(limit).subquery()


def _slices(wanted: EventFilter) -> list[EventFilter]:
    """Divide the filter by type and customer: of each slice an index yields the newest events without a sort.

    For several types or customers at once the database reads and sorts every match, as it does if there would be more
    slices than one statement can have.
    """
    customers: tuple[int, ...] = wanted.customer_ids
    if wanted.visible_customers is not None:
        customers = tuple(c for c in wanted.visible_customers if c in customers or not customers)
        if not customers:
            return []
    by_type: list[tuple[str, ...]] = [(value,) for value in dict.fromkeys(wanted.event_types)] or [()]
    by_customer: list[tuple[int, ...]] = [(value,) for value in dict.fromkeys(customers)] or [()]
    undivided = wanted.model_copy(update={"data": ()})
    if len(by_type) * len(by_customer) > _MAX_SLICES:
        return [undivided]
    return [
        undivided.model_copy(update={"event_types": types, "customer_ids": ids, "visible_customers": None})
        for types, ids in product(by_type, by_customer)
    ]


def _span(connection: Connection, wanted: EventFilter, slices: list[EventFilter]) -> tuple[int, int] | None:
    """Return the first and last second of the filter, or else of the events in the slices; None if no event matches."""
    if not slices:
        return None
    time = events.c.timestamp_utc
    edges = [
        select(
            *(
                select(time).where(column_filters(part)).order_by(order).limit(1).scalar_subquery()
                for order in (time.asc(), time.desc())
            )
        )
        for part in slices
    ]
    found = [row for row in connection.execute(union_all(*edges)) if row[0] is not None]
    if not found:
        return None
    oldest, newest = min(row[0] for row in found), max(row[1] for row in found)
    return oldest if wanted.start is None else wanted.start, newest if wanted.end is None else wanted.end
