"""Summaries of events in MongoDB. Each reads a bounded number of events: docs/decisions/0021."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pymongo.cursor import Cursor

from core.domain.queries import EventFilter, Order, Step
from core.domain.summaries import Summary, bucket_seconds, empty_summary, summary_of
from core.stores.mongodb.connection import READ_SECONDS, Connection, Document, reading
from core.stores.mongodb.documents import FIELDS, to_event
from core.stores.mongodb.filters import rest_of, sort_order, to_query
from core.stores.summary_sample import Sample

COUNTED: Final = 200_000
"""Number of newest matching events that the counts over time read from an index."""
SAMPLED: Final = 10_000
"""Number of events whose content is read."""
EXAMINE_SECONDS: Final = 0.5
"""Time for examining events whose content only `matches` can compare."""
_ROWS_PER_FETCH: Final = 250
_MAX_TIME: Final = int(READ_SECONDS * 1000)


class _Row(NamedTuple):
    """Examined parts of an event. All are of one slice: the index of the filter has the newest ones first."""

    event_type: str
    customer_id: int
    timestamp_utc: int
    received_at: datetime | None = None
    recorded_by: str = ""
    event_data: Any = None
    slice: int = 0


class MongoEventSummaries:
    """Implements `EventSummaries`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def summarize(self, event_filter: EventFilter, by: Sequence[Step] = ()) -> Summary:
        """See `EventSummaries.summarize`."""
        with reading():
            span = self._span(event_filter)
            if span is None:
                return empty_summary(event_filter, with_values=bool(by))
            width = bucket_seconds(*span)
            rest = rest_of(self._connection.reads, event_filter)
            if by or rest is not None:
                sample = Sample(event_filter, width, by)
                sample.examine(self._contents(event_filter), SAMPLED, EXAMINE_SECONDS, span[1])
            else:
                sample = Sample(EventFilter(), width, by)
                sample.examine(self._heads(event_filter), SAMPLED, READ_SECONDS, span[1])
            counts, since = sample.buckets, sample.since
            if since is not None and rest is None:
                counts, since = self._counts(event_filter, width)
        return summary_of(span, counts, since, sample.frequencies())

    def _span(self, wanted: EventFilter) -> tuple[int, int] | None:
        """Return the first and last second of the filter, or else of the events that may match; None if there is none.

        Of `wanted`, types, customers and times decide.
        """
        query = to_query(_columns(wanted), with_incomplete=False)
        edges = []
        orders: tuple[Order, Order] = ("asc", "desc")
        for order in orders:
            found = self._connection.reads.events.find_one(
                query,
                {"timestamp_utc": 1},
                sort=sort_order(order),
                max_time_ms=_MAX_TIME,
            )
            if found is None:
                return None
            edges.append(int(found["timestamp_utc"]))
        oldest, newest = edges
        return oldest if wanted.start is None else wanted.start, newest if wanted.end is None else wanted.end

    def _heads(self, wanted: EventFilter) -> Iterator[_Row]:
        """Yield the newest events of a filter that indexes answer, without their data."""
        fields = {"event_type": 1, "customer_id": 1, "timestamp_utc": 1}
        with self._newest(to_query(wanted, with_incomplete=False), fields) as documents:
            for each in documents:
                yield _Row(each["event_type"], int(each["customer_id"]), int(each["timestamp_utc"]))

    def _contents(self, wanted: EventFilter) -> Iterator[_Row]:
        """Yield the newest events that indexes find for the filter."""
        with self._newest(to_query(wanted, with_incomplete=True), FIELDS) as documents:
            for each in map(to_event, documents):
                yield _Row(
                    each.event_type,
                    each.customer_id,
                    each.timestamp_utc,
                    each.received_at,
                    each.recorded_by,
                    each.event_data,
                )

    def _newest(self, query: Document, fields: Document) -> Cursor[Document]:
        return self._connection.reads.events.find(
            query,
            fields,
            sort=sort_order("desc"),
            limit=SAMPLED,
            batch_size=_ROWS_PER_FETCH,
            max_time_ms=_MAX_TIME,
        )

    def _counts(self, wanted: EventFilter, width: int) -> tuple[Counter[int], int | None]:
        """Count the newest events by the start of their bucket, without reading them.

        Also return from which second on all are counted (None: all).
        """
        newest: list[Document] = [
            {"$match": to_query(wanted, with_incomplete=False)},
            {"$sort": dict(sort_order("desc"))},
            {"$limit": COUNTED},
            {"$group": {"_id": "$timestamp_utc", "events": {"$sum": 1}}},
        ]
        counts: Counter[int] = Counter()
        oldest: int | None = None
        for second in self._connection.reads.events.aggregate(newest, maxTimeMS=_MAX_TIME):
            at = int(second["_id"])
            counts[at - at % width] += int(second["events"])
            oldest = at if oldest is None else min(oldest, at)
        if oldest is None or counts.total() < COUNTED:
            return counts, None
        return counts, oldest + 1  # the oldest second reached may be incomplete


def _columns(wanted: EventFilter) -> EventFilter:
    return wanted.model_copy(update={"data": (), "conditions": (), "words": ()})
