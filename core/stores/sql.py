"""The event store on a SQL database, by SQLAlchemy Core."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from threading import get_ident
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, literal, select, true

from core.errors import EventNotStorableError
from core.models import Event, EventId
from core.ports import Outcome
from core.queries import EventFilter, Matches, PageRequest
from core.stores import tallies
from core.stores.connection import connected
from core.stores.dialects import IdTakenError, dialect_of
from core.stores.schema import events

COUNT_LIMIT: Final = 10_000
"""Matches are counted up to here: a count costs time for every row, and no one pages by hand beyond it."""

_IDS_PER_QUERY: Final = 500
_EVENT_ID: Final = TypeAdapter[str](EventId)


class SqlEventStore:
    """Implements `EventWriter` and `EventReader`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)
        self._source = uuid.uuid4().hex

    def check(self) -> dict[str, object]:
        """Implements `Check`: the database answers and has the events table."""
        with connected(self._engine) as connection:
            connection.execute(select(events.c.event_id).limit(1)).all()
        return {"database": self._engine.dialect.name}

    def add(self, batch: Sequence[Event]) -> list[Outcome]:
        """See `EventWriter.add`."""
        # Of several events with one id in a batch the first goes in, like the first of several batches.
        firsts = {item.event_id: item for item in reversed(batch)}
        kept: dict[str, Event] = {}
        with connected(self._engine) as connection:
            # By id: two writers of the same ids then wait for each other in one direction only.
            while new := [firsts[event_id] for event_id in sorted(firsts.keys() - kept.keys())]:
                try:
                    self._dialect.insert(connection, new)
                    break
                except IdTakenError:
                    # Rare, so only now it is asked which; another writer may add more of them meanwhile.
                    connection.rollback()
                    known, kept = kept, self._by_ids(connection, firsts)
                    if kept.keys() == known.keys():
                        raise EventNotStorableError("An id is taken by an event that is no longer there.") from None
            # What an event is measured by: the one that was there, else the first of the batch with its id.
            firsts |= kept
            outcomes = [_outcome(item, firsts[item.event_id]) for item in batch]
            tallies.add(connection, f"{self._source}.{get_ident()}", _counts(batch, outcomes, firsts))
            connection.commit()
        return outcomes

    def find(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        """See `EventReader.find`."""
        condition = self._condition(event_filter)
        counted = select(literal(1)).select_from(events).where(condition).limit(COUNT_LIMIT + 1).subquery()
        with connected(self._engine) as connection:
            rows = connection.execute(self._page_query(condition, page)).mappings().all()
            total = connection.execute(select(func.count()).select_from(counted)).scalar_one()
        return Matches(
            events=[Event.model_construct(**row) for row in rows[: page.limit]],
            more=len(rows) > page.limit,
            total_count=min(total, COUNT_LIMIT),
            total_relation="eq" if total <= COUNT_LIMIT else "gte",
        )

    def read(self, event_filter: EventFilter, page: PageRequest) -> list[Event]:
        """See `EventReader.read`."""
        with connected(self._engine) as connection:
            rows = connection.execute(self._page_query(self._condition(event_filter), page)).mappings()
            return [Event.model_construct(**row) for row in islice(rows, page.limit)]

    def get(self, event_id: str) -> Event | None:
        """See `EventReader.get`."""
        try:
            _EVENT_ID.validate_python(event_id)
        except ValidationError:
            return None  # PostgreSQL would fail to compare it
        with connected(self._engine) as connection:
            return self._by_ids(connection, [event_id]).get(event_id)

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    def _by_ids(self, connection: Connection, event_ids: Iterable[str]) -> dict[str, Event]:
        wanted = list(event_ids)
        found: dict[str, Event] = {}
        for start in range(0, len(wanted), _IDS_PER_QUERY):
            query = self._dialect.by_ids(wanted[start : start + _IDS_PER_QUERY])
            found |= {row["event_id"]: Event.model_construct(**row) for row in connection.execute(query).mappings()}
        return found

    def _page_query(self, condition: ColumnElement[bool], page: PageRequest) -> Select[Any]:
        descending = page.order == "desc"
        key = (events.c.timestamp_utc, events.c.event_id)
        # One more than asked for tells whether another page follows.
        query = select(events).where(condition).limit(page.limit + 1)
        query = query.order_by(*(column.desc() if descending else column.asc() for column in key))
        if page.after is None:
            return query.offset(page.offset)
        return query.where(self._dialect.beyond(page.after, descending=descending))

    def _condition(self, wanted: EventFilter) -> ColumnElement[bool]:
        conditions: list[ColumnElement[bool]] = []
        if wanted.event_types:
            conditions.append(events.c.event_type.in_(wanted.event_types))
        if wanted.customer_ids:
            conditions.append(events.c.customer_id.in_(wanted.customer_ids))
        if wanted.visible_customers is not None:
            conditions.append(events.c.customer_id.in_(wanted.visible_customers))
        if wanted.start is not None:
            conditions.append(events.c.timestamp_utc >= wanted.start)
        if wanted.end is not None:
            conditions.append(events.c.timestamp_utc <= wanted.end)
        if wanted.received_until is not None:
            conditions.append(events.c.received_at <= wanted.received_until)
        conditions.extend(self._dialect.json_equals(events.c.event_data, data_filter) for data_filter in wanted.data)
        return and_(true(), *conditions)


def _outcome(item: Event, first: Event) -> Outcome:
    if item is first:
        return Outcome.STORED
    return Outcome.DUPLICATE if item.same_content(first) else Outcome.CONFLICT


def _counts(batch: Sequence[Event], outcomes: Sequence[Outcome], firsts: Mapping[str, Event]) -> tallies.Counts:
    """What to add to the tallies. A message that came twice was accepted once, which its receive time tells."""
    counts: Counter[tuple[int, tallies.Tally]] = Counter()
    for item, outcome in zip(batch, outcomes, strict=True):
        if outcome is Outcome.STORED:
            counts[tallies.minute_of(item.received_at), "stored"] += 1
        elif outcome is Outcome.DUPLICATE and item.received_at != firsts[item.event_id].received_at:
            counts[tallies.minute_of(item.received_at), "repeated"] += 1
    return counts
