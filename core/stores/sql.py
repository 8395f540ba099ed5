"""Event store in a SQL database, with SQLAlchemy Core."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import islice
from threading import get_ident
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    Row,
    Select,
    UnaryExpression,
    and_,
    func,
    literal,
    literal_column,
    select,
    true,
)

from core.domain.erasures import Erased
from core.domain.models import Event, EventId
from core.domain.queries import EventFilter, Listing, Matches, PageRequest
from core.domain.strict_json import MAX_INTEGER
from core.domain.trusted_fields import build_model
from core.errors import EventNotStorableError
from core.ports.store import Outcome
from core.stores import event_counters
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import AccessPlan, IdTakenError, dialect_of
from core.stores.filters import column_filters, data_filters, divide, is_sql
from core.stores.outcomes import counts_of, forgive_erased, outcome
from core.stores.schema import EVENT_COLUMNS, erasures, events
from core.stores.sealing import BatchNumbers, BatchNumberTakenError, insert_sealed, new_batch_number
from core.stores.search import COUNT_LIMIT, SearchLimits, search

_IDS_PER_QUERY: Final = 500
_ROWS_PER_FETCH: Final = 250
_NAMES: Final = [column.name for column in EVENT_COLUMNS]
_EVENT_ID: Final = TypeAdapter[str](EventId)
_SEARCH_LIMITS: Final = SearchLimits()


class SqlEventStore:
    """Implements `EventWriter` and `EventReader`."""

    def __init__(
        self,
        engine: Engine,
        new_number: BatchNumbers = new_batch_number,
        search_limits: SearchLimits = _SEARCH_LIMITS,
    ) -> None:
        """`new_number` returns the number of the next batch."""
        self._engine = engine
        self._new_number = new_number
        self._search_limits = search_limits
        self._dialect = dialect_of(engine)
        self._source = uuid.uuid4().hex

    def check(self) -> dict[str, object]:
        """Implements `Check`: the database answers and has the table of events."""
        with open_read_connection(self._engine) as connection:
            connection.execute(select(events.c.event_id).limit(1)).all()
        return {"database": self._engine.dialect.name}

    def add(self, batch: Sequence[Event]) -> list[Outcome]:
        """See `EventWriter.add`."""
        # The first event with an id is stored, within a batch as between batches.
        firsts = {item.event_id: item for item in reversed(batch)}
        already_stored: dict[str, Event] = {}
        with open_connection(self._engine) as connection:
            # In the order of ids, so that two writers of the same ids cannot deadlock.
            while new := [firsts[event_id] for event_id in sorted(firsts) if event_id not in already_stored]:
                try:
                    insert_sealed(connection, self._dialect, new, self._new_number)
                    break
                except BatchNumberTakenError:
                    connection.rollback()
                except IdTakenError:
                    # Rare, so which ids are taken is looked up only now. Another writer may add more of them meanwhile.
                    connection.rollback()
                    known, already_stored = already_stored, self._by_ids(connection, firsts)
                    # An id is taken, and no event has it: PostgreSQL keeps the ids of deleted events for a while.
                    if already_stored.keys() == known.keys():
                        raise EventNotStorableError("The id was used by an event that has been deleted.") from None
            # Each event is compared with the stored one, or else with the first of the batch that has its id.
            firsts |= already_stored
            outcomes = [outcome(item, firsts[item.event_id]) for item in batch]
            if Outcome.CONFLICT in outcomes:
                outcomes = forgive_erased(connection, batch, firsts, outcomes)
            event_counters.add(connection, f"{self._source}.{get_ident()}", counts_of(batch, outcomes, firsts))
            connection.commit()
        return outcomes

    def find_page(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        """See `EventReader.find_page`."""
        with open_read_connection(self._engine) as connection:
            indexed, rest = divide(event_filter, self._dialect)
            if self._must_search(connection, indexed, rest):
                return self._search(connection, indexed, rest, page)
            plan = self._dialect.plan_access(connection, event_filter, COUNT_LIMIT)
            query = self._rows_query(event_filter, page, plan)
            if plan.count_with_page:
                query = query.add_columns(self._count_query(event_filter, plan).scalar_subquery())
            rows = connection.execute(query).all()
            more = len(rows) > page.limit
            if not more and page.after is None and (rows or not page.offset):
                total = page.offset + len(rows)  # the last match is on this page
            elif plan.matching is not None:
                total = plan.matching
            elif plan.count_with_page and rows:
                total = rows[0][-1]
            else:
                total = connection.execute(self._count_query(event_filter, plan)).scalar_one()
        return Matches.model_construct(
            events=[_event(row) for row in rows[: page.limit]],
            more=more,
            total_count=min(total, COUNT_LIMIT),
            total_relation="eq" if total <= COUNT_LIMIT else "gte",
        )

    def list_page(self, event_filter: EventFilter, page: PageRequest) -> Listing:
        """See `EventReader.list_page`."""
        with open_read_connection(self._engine) as connection:
            indexed, rest = divide(event_filter, self._dialect)
            if self._must_search(connection, indexed, rest):
                return self._search(connection, indexed, rest, page)
            plan = self._dialect.plan_access(connection, event_filter, COUNT_LIMIT)
            rows = connection.execute(self._rows_query(event_filter, page, plan))
            return Listing(events=[_event(row) for row in islice(rows, page.limit)])

    def newest_receive_time(self) -> datetime | None:
        """See `EventReader.newest_receive_time`."""
        with open_read_connection(self._engine) as connection:
            newest: datetime | None = connection.scalar(select(func.max(events.c.received_at)))
            return newest

    def get(self, event_id: str) -> Event | None:
        """See `EventReader.get`."""
        try:
            _EVENT_ID.validate_python(event_id)
        except ValidationError:
            return None  # PostgreSQL cannot compare it with a UUID
        with open_read_connection(self._engine) as connection:
            return self._by_ids(connection, [event_id]).get(event_id)

    def erased(self, event_ids: Sequence[str]) -> dict[str, Erased]:
        """See `EventReader.erased`."""
        query = select(erasures).where(erasures.c.event_id.in_(event_ids))
        with open_read_connection(self._engine) as connection:
            return {
                row.event_id: Erased(at=row.erased_at, by_event=row.by_event, whole=row.whole)
                for row in connection.execute(query)
            }

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _by_ids(self, connection: Connection, event_ids: Iterable[str]) -> dict[str, Event]:
        wanted = list(event_ids)
        found: dict[str, Event] = {}
        for start in range(0, len(wanted), _IDS_PER_QUERY):
            query = self._dialect.select_by_ids(wanted[start : start + _IDS_PER_QUERY])
            found |= {event.event_id: event for event in map(_event, connection.execute(query))}
        return found

    def _must_search(self, connection: Connection, indexed: EventFilter, rest: EventFilter) -> bool:
        """Return whether `matches` has to examine events; otherwise SQL answers the whole filter in a bounded time."""
        if rest == EventFilter():
            return False
        if not is_sql(rest):
            return True
        most = self._search_limits.rows
        return connection.execute(self._count_query(indexed, AccessPlan(), most)).scalar_one() > most

    def _search(self, connection: Connection, indexed: EventFilter, rest: EventFilter, page: PageRequest) -> Matches:
        plan = self._dialect.plan_access(connection, indexed, COUNT_LIMIT)
        # Rows arrive as they are examined: a page of the largest events would fill the memory.
        streaming = connection.execution_options(yield_per=_ROWS_PER_FETCH)

        def read(part: PageRequest) -> Iterator[Row[Any]]:
            query = self._rows_query(indexed, part, plan)
            with closing(streaming.execute(query)) as rows:
                yield from rows

        return search(read, _event, rest, page, self._search_limits)

    def _rows_query(self, event_filter: EventFilter, page: PageRequest, plan: AccessPlan) -> Select[Any]:
        """Return a query for the events of a page, and for one more if another page follows."""
        remaining = _without_implied_bound(event_filter, page)
        if plan.combinations is None:
            return self._page_query(and_(self._condition(remaining), plan.condition), page, plan.page_hint)
        return self._merged_query(remaining, plan.combinations, page)

    def _page_query(self, condition: ColumnElement[bool], page: PageRequest, hint: str) -> Select[Any]:
        query = _hinted(select(*EVENT_COLUMNS), hint).where(condition).order_by(*_order(events, page))
        query = query.limit(_written_out(page.limit + 1))  # the extra row shows that another page follows
        if page.after is None:
            return query.offset(page.offset)
        return query.where(self._dialect.keyset_condition(page.after, descending=page.order == "desc"))

    def _merged_query(self, event_filter: EventFilter, combinations: FromClause, page: PageRequest) -> Select[Any]:
        """Return the same query, merged from one index scan for each combination of a customer and a type."""
        uncombined = event_filter.model_copy(update={"customer_ids": (), "visible_customers": None, "event_types": ()})
        combination = [events.c[column.name] == column for column in combinations.c]
        from_first = page.model_copy(update={"offset": 0, "limit": min(page.offset + page.limit, MAX_INTEGER - 1)})
        part = self._page_query(and_(self._condition(uncombined), *combination), from_first, "").lateral("part")
        query = select(part).select_from(combinations.join(part, true())).order_by(*_order(part, page))
        return query.limit(_written_out(page.limit + 1)).offset(page.offset if page.after is None else 0)

    def _condition(self, event_filter: EventFilter) -> ColumnElement[bool]:
        return and_(column_filters(event_filter), data_filters(event_filter, self._dialect))

    def _count_query(self, event_filter: EventFilter, plan: AccessPlan, most: int = COUNT_LIMIT) -> Select[int]:
        condition = and_(self._condition(event_filter), plan.condition)
        matches = _hinted(select(literal(1)).select_from(events), plan.count_hint).where(condition)
        return select(func.count()).select_from(matches.limit(_written_out(most + 1)).subquery())


def _without_implied_bound(event_filter: EventFilter, page: PageRequest) -> EventFilter:
    """Remove the bound of time that the page's position implies, because an index scan starts at one of the two."""
    if page.after is None:
        return event_filter
    time = page.after.timestamp_utc
    if page.order == "desc" and event_filter.end is not None and time <= event_filter.end:
        return event_filter.model_copy(update={"end": None})
    if page.order == "asc" and event_filter.start is not None and time >= event_filter.start:
        return event_filter.model_copy(update={"start": None})
    return event_filter


def _written_out(number: int) -> ColumnElement[int]:
    """Write a limit into the statement: a generic plan knows no parameters, and would expect a tenth of all rows."""
    return literal_column(str(number), Integer)


def _event(row: Row[Any]) -> Event:
    return build_model(Event, dict(zip(_NAMES, row, strict=False)))  # a count may follow the columns


def _order(table: FromClause, page: PageRequest) -> Iterator[UnaryExpression[Any]]:
    for name in ("timestamp_utc", "event_id"):
        yield table.c[name].desc() if page.order == "desc" else table.c[name].asc()


def _hinted(query: Select[Any], hint: str) -> Select[Any]:
    return query.with_hint(events, hint) if hint else query
