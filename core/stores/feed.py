"""Feed: reads the events of the ledger in the order of their indices, page by page.

A position is an index. Integrators give indices in one transaction after the other, and only to batches that are
committed (`core.stores.ledger.integration`), so that the entries before the end of the ledger are complete: no event
appears later before a position that a reader has passed.

The row of a batch has the customers of its events. Entries of other customers are passed over without a query.
"""

import sys
from array import array
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, bindparam, func, select

from core.domain.matching import matches
from core.domain.models import Event
from core.domain.trusted_fields import build_model
from core.errors import CursorAheadError, StoreUnavailableError
from core.ports.feed import FeedPage, FeedRequest
from core.stores import feed_times
from core.stores.connections import open_read_connection
from core.stores.dialects import dialect_of
from core.stores.ledger.stored_tree import FIRST_BATCH
from core.stores.schema import EVENT_COLUMNS, ledger_batches, ledger_checkpoints, service_keys

_FIRST_BATCHES: Final = 2  # a large one fills a page, and small ones cost few queries
_MAX_BATCHES: Final = 128  # bounds the memory: a batch has up to 3,000 events, of 24 bytes each
_GROWTH: Final = 4
_IDS_PER_QUERY: Final = 100  # bounds the memory: an event has up to 256 KiB
_ID_BYTES: Final = 16
_NAMES: Final = [column.name for column in EVENT_COLUMNS]

_END: Final = select(func.coalesce(func.max(ledger_checkpoints.c.size), 0))
_BATCHES: Final = (
    select(ledger_batches.c.first_index, ledger_batches.c.ids, ledger_batches.c.customers)
    .where(ledger_batches.c.first_index >= FIRST_BATCH, ledger_batches.c.first_index < bindparam("end"))
    .order_by(ledger_batches.c.first_index)
)
_KEY: Final = select(service_keys.c.value).where(service_keys.c.name == "feed")
_AHEAD: Final = (
    "The log ends before this cursor: its database was restored to an earlier state. Compare what you have with the "
    "log, then start from now or from an index."
)


class FeedLimits(NamedTuple):
    """Bounds of one page. It ends at the first that it reaches, having dealt with at least one entry."""

    events: int = 5_000
    """Number of events that are looked up."""
    seconds: float = 1.0


class _Entry(NamedTuple):
    position: int
    event_id: str


class SqlFeed:
    """Implements `FeedReader`."""

    def __init__(self, engine: Engine, limits: FeedLimits = FeedLimits()) -> None:  # noqa: B008 - immutable
        self._engine = engine
        self._limits = limits
        self._dialect = dialect_of(engine)
        self._key: bytes | None = None

    def read(self, request: FeedRequest) -> FeedPage:
        """See `FeedReader.read`."""
        with open_read_connection(self._engine) as connection:
            end: int = connection.execute(_END).scalar_one()
            start = end if request.position is None else request.position
            if start > end:
                raise CursorAheadError(_AHEAD)
            return self._read(connection, request, start, end)

    def size(self) -> int:
        """See `FeedReader.size`."""
        with open_read_connection(self._engine) as connection:
            return int(connection.execute(_END).scalar_one())

    def position_at(self, moment: datetime) -> int:
        """See `FeedReader.position_at`."""
        with open_read_connection(self._engine) as connection:
            end: int = connection.execute(_END).scalar_one()
            return feed_times.position_at(connection, moment, end)

    def stored_at(self, position: int) -> datetime | None:
        """See `FeedReader.stored_at`."""
        with open_read_connection(self._engine) as connection:
            end: int = connection.execute(_END).scalar_one()
            return feed_times.stored_at(connection, position) if position < end else None

    def cursor_key(self) -> bytes:
        """See `FeedReader.cursor_key`."""
        if self._key is None:
            with open_read_connection(self._engine) as connection:
                self._key = connection.execute(_KEY).scalar()
        if self._key is None:
            raise StoreUnavailableError(
                "The key of the feed's cursors is missing from the table service_keys: restore it from a backup."
            )
        return self._key

    def _read(self, connection: Connection, request: FeedRequest, start: int, end: int) -> FeedPage:
        page = _Page(request)
        deadline = monotonic() + self._limits.seconds
        batches_per_query, position = _FIRST_BATCHES, start
        while position < end:
            query = _BATCHES.limit(batches_per_query)
            batches = connection.execute(query, {"start": position, "end": end}).all()
            entries = _entries(batches, position, request.event_filter.customers)
            while part := list(islice(entries, page.expected())):
                if page.examined and (page.examined >= self._limits.events or monotonic() > deadline):
                    return page.end(part[0].position, more=True)
                rows = connection.execute(self._dialect.select_by_ids([entry.event_id for entry in part]))
                found = {row.event_id: row for row in rows}
                for entry in part:
                    if not page.take(entry.position, found.get(entry.event_id)):
                        return page.end(entry.position, more=True)
            position = _end_of(batches)
            if monotonic() > deadline:
                break
            batches_per_query = min(_MAX_BATCHES, batches_per_query * _GROWTH)
        return page.end(position, more=position < end)


class _Page:
    """Matches of a page, until it is full."""

    def __init__(self, request: FeedRequest) -> None:
        self._wanted = request.event_filter
        self._limit = request.limit
        self._room = request.max_bytes
        self._entries: list[tuple[int, Event]] = []
        self._skipped = 0
        self.examined = 0

    def expected(self) -> int:
        """Return how many events to look up next: first as many as fill the page, and one to see whether more follow.

        Most filters match most events of their customers.
        """
        return _IDS_PER_QUERY if self.examined else min(_IDS_PER_QUERY, self._limit + 1)

    def take(self, index: int, row: Row[Any] | None) -> bool:
        """Deal with an entry, whose event is `row` unless it is no longer stored. Returns whether there was room."""
        if len(self._entries) == self._limit:
            return False
        if row is None:
            self._skipped += 1
        elif matches(row, self._wanted):  # type: ignore[arg-type] # a row has the attributes of an event
            event = build_model(Event, dict(zip(_NAMES, row, strict=True)))
            self._room -= len(event.to_json())
            if self._room < 0 and self._entries:
                return False
            self._entries.append((index, event))
        self.examined += 1
        return True

    def end(self, position: int, *, more: bool) -> FeedPage:
        return FeedPage(self._entries, position, more, self._skipped)


def _entries(
    batches: Sequence[Row[int, bytes, bytes]], start: int, customers: Collection[int] | None
) -> Iterator[_Entry]:
    """Yield the entries from index `start` on of these customers; None: of all."""
    wanted = None if customers is None else frozenset(customers)
    for first, ids, packed in batches:
        places: Sequence[int] = range(max(0, start - first), len(ids) // _ID_BYTES)
        if wanted is not None:
            of_place = _numbers(packed)
            places = [place for place in places if of_place[place] in wanted]
        for place in places:
            yield _Entry(first + place, str(UUID(bytes=ids[_ID_BYTES * place : _ID_BYTES * (place + 1)])))


def _numbers(packed: bytes) -> Sequence[int]:
    """Decode signed big-endian integers of 8 bytes each."""
    numbers = array("q", packed)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _end_of(batches: Sequence[Row[int, bytes, bytes]]) -> int:
    first, ids, _ = batches[-1]
    return int(first) + len(ids) // _ID_BYTES
