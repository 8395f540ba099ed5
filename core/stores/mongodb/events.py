"""Event store in MongoDB: writing, and reading pages and single events."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from bson.raw_bson import RawBSONDocument
from pymongo.cursor import Cursor
from pymongo.errors import BulkWriteError

from core.domain.erasures import Erased
from core.domain.models import Event
from core.domain.queries import EventFilter, Listing, Matches, PageRequest
from core.errors import EventNotStorableError, StoreUnavailableError
from core.ports.store import Outcome
from core.stores.event_counters import REPEATED, STORED
from core.stores.mongodb.connection import READ_SECONDS, Connection, Document, reading, writing
from core.stores.mongodb.documents import FIELDS, Stored, to_document, to_event, to_stored
from core.stores.mongodb.filters import after, all_of, rest_of, sort_order, to_query
from core.stores.mongodb.writers import Batch, Writers, by_minute
from core.stores.outcomes import outcome
from core.stores.search import COUNT_LIMIT, SearchLimits, search

_DUPLICATE_KEY: Final = 11000
_REFUSED: Final = frozenset({2, 121, 10334, 17280, 17419, 17420})
"""Codes of errors about one document: bad value, validation, size, and too long keys."""
_IDS_PER_QUERY: Final = 500
_TERMS_PER_INSERT: Final = 100_000
"""Bounds one insertion, whose cost is that of its entries in the index of the terms."""
_ROWS_PER_FETCH: Final = 250
_SEARCH_LIMITS: Final = SearchLimits()
_MAX_TIME: Final = int(READ_SECONDS * 1000)
_MAX_OFFSET: Final = 2**31
"""More events than a listing by offset can pass over in the time of a read."""


class MongoEventStore:
    """Implements `EventStore`."""

    def __init__(self, connection: Connection, search_limits: SearchLimits = _SEARCH_LIMITS) -> None:
        self._connection = connection
        self._search_limits = search_limits
        self._writers = Writers(connection)

    def check(self) -> dict[str, object]:
        """Implement `Check`: the server answers."""
        with reading():
            self._connection.reads.events.find_one({}, {"_id": 1}, max_time_ms=_MAX_TIME)
        return {"database": "mongodb"}

    def add(self, batch: Sequence[Event]) -> list[Outcome]:
        """See `EventWriter.add`. Every event is encoded before the first is inserted: if one cannot be, none is."""
        if not batch:
            return []
        # The first event with an id is stored, within a batch as between batches.
        firsts = {event.event_id: event for event in reversed(batch)}
        try:
            with writing():
                current = self._writers.next_batch()
                taken = self._insert([to_document(each, current.writer, current.number) for each in firsts.values()])
                before = self._by_ids(taken)
                outcomes = _outcomes(batch, firsts, before)
                self._count(current, batch, outcomes, firsts, before)
        except BaseException:
            self._writers.abandon()
            raise
        return outcomes

    def find_page(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        """See `EventReader.find_page`."""
        with reading():
            rest = rest_of(self._connection.reads, event_filter)
            if rest is not None:
                return self._search(event_filter, rest, page)
            query = to_query(event_filter, with_incomplete=False)
            events = [to_event(document) for document in self._page(query, page)]
            more = len(events) > page.limit
            if not more and page.after is None and (events or not page.offset):
                total = page.offset + len(events)  # the last match is on this page
            else:
                total = self._connection.reads.events.count_documents(query, limit=COUNT_LIMIT + 1, maxTimeMS=_MAX_TIME)
        return Matches.model_construct(
            events=events[: page.limit],
            more=more,
            total_count=min(total, COUNT_LIMIT),
            total_relation="eq" if total <= COUNT_LIMIT else "gte",
        )

    def list_page(self, event_filter: EventFilter, page: PageRequest) -> Listing:
        """See `EventReader.list_page`."""
        with reading():
            rest = rest_of(self._connection.reads, event_filter)
            if rest is not None:
                return self._search(event_filter, rest, page)
            query = to_query(event_filter, with_incomplete=False)
            return Listing(events=[to_event(document) for document in islice(self._page(query, page), page.limit)])

    def newest_receive_time(self) -> datetime | None:
        """See `EventReader.newest_receive_time`."""
        with reading():
            newest = self._connection.reads.events.find_one(
                {}, {"received_at": 1}, sort=[("received_at", -1)], max_time_ms=_MAX_TIME
            )
        return newest["received_at"].astimezone(UTC) if newest else None

    def get(self, event_id: str) -> Event | None:
        """See `EventReader.get`."""
        with reading():
            found = self._connection.reads.events.find_one({"_id": event_id}, FIELDS, max_time_ms=_MAX_TIME)
        return to_event(found) if found else None

    def _insert(self, documents: Sequence[RawBSONDocument]) -> set[str]:
        """Insert the documents that are new; return the ids of the others."""
        taken: set[str] = set()
        for part in _portions(documents):
            try:
                self._connection.writes.events.insert_many(part, ordered=False)
            except BulkWriteError as exc:
                problems = exc.details["writeErrors"]
                if any(problem["code"] in _REFUSED for problem in problems):
                    raise EventNotStorableError("The event store cannot store a value of this event.") from None
                if exc.details["writeConcernErrors"] or any(each["code"] != _DUPLICATE_KEY for each in problems):
                    raise
                taken |= {part[problem["index"]]["_id"] for problem in problems}
        return taken

    def _by_ids(self, ids: Iterable[str]) -> dict[str, Stored]:
        """Return the stored events with these ids, which were all taken a moment ago."""
        wanted, found = list(ids), {}
        for start in range(0, len(wanted), _IDS_PER_QUERY):
            query = {"_id": {"$in": wanted[start : start + _IDS_PER_QUERY]}}
            for document in self._connection.writes.events.find(query, {"terms": 0}):
                found[document["_id"]] = to_stored(document)
        if len(found) < len(wanted):
            raise StoreUnavailableError("Events with these ids are being deleted: try again later.")
        return found

    def _count(
        self,
        current: Batch,
        batch: Sequence[Event],
        outcomes: Sequence[Outcome],
        firsts: dict[str, Event],
        before: dict[str, Stored],
    ) -> None:
        """Count what this batch stored or took over, and its repeats. A redelivered message is no repeat."""
        duplicates = [each for each, outcome in zip(batch, outcomes, strict=True) if outcome is Outcome.DUPLICATE]
        new = {event_id: event.received_at for event_id, event in firsts.items() if event_id not in before}
        redelivered, repeats = {}, []
        for each in duplicates:
            known = before[each.event_id].event if each.event_id in before else firsts[each.event_id]
            if each.received_at != known.received_at:
                repeats.append(each.received_at)
            elif each.event_id in before:
                redelivered[each.event_id] = before[each.event_id].origin
        times = [*new.values(), *current.take_over(redelivered)]
        repeated = by_minute(REPEATED, repeats)
        while not current.count({**by_minute(STORED, times), **repeated}):
            # Another process took this one for dead, and the events that it received again.
            former = current
            self._writers.abandon()
            current = self._writers.next_batch()
            times = current.reclaim([*new, *redelivered], former)

    def _search(self, event_filter: EventFilter, rest: EventFilter, page: PageRequest) -> Matches:
        query = to_query(event_filter, with_incomplete=True)

        def read(part: PageRequest) -> Iterator[Event]:
            with closing(self._page(query, part)) as documents:
                yield from map(to_event, documents)

        return search(read, lambda event: event, rest, page, self._search_limits)

    def erased(self, event_ids: Sequence[str]) -> dict[str, Erased]:  # noqa: ARG002 - of the port
        """See `EventReader.erased`: no event is erased here, since that needs the ledger."""
        return {}

    def _page(self, query: Document, page: PageRequest) -> Cursor[Document]:
        """Return the documents of a page, and one more if another page follows."""
        if page.after is not None:
            query = all_of([query, after(page.after, page.order)])
        return self._connection.reads.events.find(
            query,
            FIELDS,
            sort=sort_order(page.order),
            skip=0 if page.after else min(page.offset, _MAX_OFFSET),
            limit=page.limit + 1,
            batch_size=_ROWS_PER_FETCH,
            max_time_ms=_MAX_TIME,
        )


def _outcomes(batch: Sequence[Event], firsts: dict[str, Event], before: dict[str, Stored]) -> list[Outcome]:
    """Compare each event with the stored one, or else with the first of the batch that has its id."""
    known = firsts | {event_id: stored.event for event_id, stored in before.items()}
    return [outcome(each, known[each.event_id]) for each in batch]


def _portions(documents: Sequence[RawBSONDocument]) -> Iterator[list[RawBSONDocument]]:
    """Divide the documents of a batch by the number of their terms."""
    portion: list[RawBSONDocument] = []
    terms = 0
    for document in documents:
        terms += len(document["terms"])
        if portion and terms > _TERMS_PER_INSERT:
            yield portion
            portion, terms = [], len(document["terms"])
        portion.append(document)
    if portion:
        yield portion
