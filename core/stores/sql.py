"""The event store on a SQL database, by SQLAlchemy Core."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, literal, select, true, tuple_
from sqlalchemy.dialects.sqlite import insert

from core.models import Event
from core.ports import Outcome
from core.queries import EventFilter, Matches, PageRequest
from core.stores.connection import connected
from core.stores.json_equality import json_equals
from core.stores.schema import events

COUNT_LIMIT: Final = 10_000
"""Matches are counted up to here: a count costs time for every row, and no one pages by hand beyond it."""

_IDS_PER_QUERY: Final = 500
_INSERT: Final = insert(events).on_conflict_do_nothing()


class SqlEventStore:
    """Implements `EventWriter` and `EventReader`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self) -> dict[str, object]:
        """Implements `Check`: the database answers and has the events table."""
        with connected(self._engine) as connection:
            connection.execute(select(events.c.event_id).limit(1)).all()
        return {"database": self._engine.dialect.name}

    def add(self, batch: Sequence[Event]) -> list[Outcome]:
        """See `EventWriter.add`."""
        if not batch:
            return []
        # Of several events with one id in a batch the first goes in, like the first of several batches.
        firsts = {item.event_id: item for item in reversed(batch)}
        rows = [dict(item) for item in firsts.values()]
        with connected(self._engine) as connection:
            inserted = connection.execute(_INSERT, rows, execution_options={"preserve_rowcount": True})
            if inserted.rowcount == len(batch):
                connection.commit()
                return [Outcome.STORED] * len(batch)
            # Rarely, some were there before. Only RETURNING says which, at twice the price: so once more, with it.
            connection.rollback()
            new = set(connection.execute(_INSERT.returning(events.c.event_id), rows).scalars())
            kept = firsts | _by_id(connection, firsts.keys() - new)
            connection.commit()
        return [_outcome(item, kept[item.event_id], is_new=item.event_id in new) for item in batch]

    def find(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        """See `EventReader.find`."""
        condition = _condition(event_filter)
        counted = select(literal(1)).select_from(events).where(condition).limit(COUNT_LIMIT + 1).subquery()
        with connected(self._engine) as connection:
            rows = connection.execute(_page_query(condition, page)).mappings().all()
            total = connection.execute(select(func.count()).select_from(counted)).scalar_one()
        return Matches(
            events=[Event.model_construct(**row) for row in rows[: page.limit]],
            more=len(rows) > page.limit,
            total_count=min(total, COUNT_LIMIT),
            total_relation="eq" if total <= COUNT_LIMIT else "gte",
        )

    def get(self, event_id: str) -> Event | None:
        """See `EventReader.get`."""
        with connected(self._engine) as connection:
            return _by_id(connection, [event_id]).get(event_id)

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()


def _outcome(item: Event, kept: Event, *, is_new: bool) -> Outcome:
    if is_new and item is kept:
        return Outcome.STORED
    return Outcome.DUPLICATE if item.same_content(kept) else Outcome.CONFLICT


def _by_id(connection: Connection, event_ids: Iterable[str]) -> dict[str, Event]:
    wanted = list(event_ids)
    found: dict[str, Event] = {}
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        query = select(events).where(events.c.event_id.in_(wanted[start : start + _IDS_PER_QUERY]))
        found |= {row["event_id"]: Event.model_construct(**row) for row in connection.execute(query).mappings()}
    return found


def _page_query(condition: ColumnElement[bool], page: PageRequest) -> Select[Any]:
    descending = page.order == "desc"
    key = (events.c.timestamp_utc, events.c.event_id)
    # One more than asked for tells whether another page follows.
    query = select(events).where(condition).limit(page.limit + 1)
    query = query.order_by(*(column.desc() if descending else column.asc() for column in key))
    if page.after is None:
        return query.offset(page.offset)
    place = tuple_(literal(page.after.timestamp_utc), literal(page.after.event_id))
    return query.where(tuple_(*key) < place if descending else tuple_(*key) > place)


def _condition(wanted: EventFilter) -> ColumnElement[bool]:
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
    conditions.extend(json_equals(events.c.event_data, data_filter) for data_filter in wanted.data)
    return and_(true(), *conditions)
