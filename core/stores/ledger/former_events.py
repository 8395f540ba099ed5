"""Adoption of events that are in no batch: those that a version of the service without ledger has stored.

From then on they are entries like others; for the time before, nothing is proven.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from core.domain.audit_events import audit_event
from core.domain.models import Event
from core.domain.queries import Position
from core.ledger.entries import seal
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.engine import has_commitments
from core.stores.own_events import insert_own_event
from core.stores.schema import EVENT_COLUMNS, events, ledger_batches
from core.stores.sealing import batch_row, new_batch_number

_EVENTS_PER_BATCH: Final = 500
_BATCHES_PER_TRANSACTION: Final = 20
_FORMER: Final = (
    select(*EVENT_COLUMNS)
    .where(events.c.batch.is_(None))
    .order_by(events.c.timestamp_utc, events.c.event_id)
    .limit(_EVENTS_PER_BATCH)
)
_SEAL: Final = (
    update(events)
    .where(events.c.event_id == bindparam("id"), events.c.timestamp_utc == bindparam("time"), events.c.batch.is_(None))
    .values(salts=bindparam("made"), batch=bindparam("number"), place=bindparam("at"))
)


class _AdoptedMeanwhileError(Exception):
    """Another process adopts the same events."""


def adopt(engine: Engine, *, at: datetime, progress: Callable[[int], None]) -> int:
    """Seal the events that are in no batch, in the order of their times; return their number.

    Each transaction seals up to 10,000 events and has an event `audit-log.ledger.adopted` that records it, so that an
    adoption that was interrupted continues where it was. `progress` gets numbers of events.

    Raises:
        StoreUnavailableError: the events adopted so far stay adopted; trying again later continues.
    """
    adopted = 0
    after: Position | None = None
    while True:
        with open_connection(engine) as connection:
            try:
                count, after = _adopt(connection, engine, after)
            except _AdoptedMeanwhileError:
                connection.rollback()
                return adopted
            if not count:
                return adopted
            record = audit_event("ledger.adopted", "events", at=at, events=count)
            insert_own_event(connection, dialect_of(engine), record)
            connection.commit()
        adopted += count
        progress(count)


def _adopt(connection: Connection, engine: Engine, after: Position | None) -> tuple[int, Position | None]:
    count = 0
    for _ in range(_BATCHES_PER_TRANSACTION):
        query = _FORMER
        if after:  # passes over sealed events without reading it again
            query = query.where(dialect_of(engine).keyset_condition(after, descending=False))
        found = [Event.model_construct(**row) for row in connection.execute(query).mappings()]
        if not found:
            break
        _seal(connection, found)
        last = found[-1]
        after = Position.model_construct(timestamp_utc=last.timestamp_utc, event_id=last.event_id)
        count += len(found)
    return count, after


def _seal(connection: Connection, found: list[Event]) -> None:
    number = new_batch_number()
    seals = seal(found) if has_commitments(connection) else None
    connection.execute(insert(ledger_batches), batch_row(number, found, seals))
    values = [
        {
            "id": event.event_id,
            "time": event.timestamp_utc,
            "made": seals.salts[place] if seals else None,
            "number": number,
            "at": place,
        }
        for place, event in enumerate(found)
    ]
    connection.execute(_SEAL, values)
    mine = select(func.count()).select_from(events)
    mine = mine.where(events.c.event_id.in_([event.event_id for event in found]), events.c.batch == number)
    if connection.execute(mine).scalar_one() != len(found):
        raise _AdoptedMeanwhileError
