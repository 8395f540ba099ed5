"""Legal holds: events that they keep are neither erased nor deleted by retention, until the hold is released.

A transaction that erases or deletes reads the holds by `fixed` before it reads events: a hold is either placed before,
and seen, or placed after the commit.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, false, func, insert, or_, select, update

from core.domain.audit_events import audit_event
from core.errors import EventHeldError, HoldNotFoundError
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import events, holds

_ACTIVE: Final = select(holds).where(holds.c.released_at.is_(None)).order_by(holds.c.placed_at, holds.c.hold_id)
_SCOPE: Final = ("customer_id", "event_type", "since", "until")


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold on the events for which all conditions apply that are not None: `since` <= time < `until`."""

    customer_id: int | None = None
    event_type: str | None = None
    since: int | None = None
    until: int | None = None
    reason: str = ""
    hold_id: str = ""
    placed_at: datetime | None = None

    @property
    def scope(self) -> dict[str, Any]:
        """Its conditions, for the event that records it."""
        return {name: getattr(self, name) for name in _SCOPE if getattr(self, name) is not None}

    @property
    def condition(self) -> ColumnElement[bool]:
        """Condition that an event is kept."""
        parts: list[ColumnElement[bool]] = []
        if self.customer_id is not None:
            parts.append(events.c.customer_id == self.customer_id)
        if self.event_type is not None:
            parts.append(events.c.event_type == self.event_type)
        if self.since is not None:
            parts.append(events.c.timestamp_utc >= self.since)
        if self.until is not None:
            parts.append(events.c.timestamp_utc < self.until)
        return and_(*parts, events.c.event_id.is_not(None))


def place(engine: Engine, hold: Hold, *, by: str, at: datetime) -> Hold:
    """Place a hold, and record it by the event `audit-log.hold.placed`; return it with its id.

    Raises:
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    hold_id = str(uuid.uuid4())
    with open_connection(engine) as connection:
        dialect_of(engine).change_holds(connection)
        values = {"hold_id": hold_id, **{name: getattr(hold, name) for name in _SCOPE}, "reason": hold.reason}
        connection.execute(insert(holds).values(**values, placed_at=at))
        record = audit_event("hold.placed", hold_id, at=at, reason=hold.reason, by=by, **hold.scope)
        insert_own_event(connection, dialect_of(engine), record)
        connection.commit()
    return Hold(**{name: getattr(hold, name) for name in _SCOPE}, reason=hold.reason, hold_id=hold_id, placed_at=at)


def active(engine: Engine) -> list[Hold]:
    """Return the holds that are not released, the oldest first.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    with open_read_connection(engine) as connection:
        return _active(connection)


def release(engine: Engine, hold_id: str, *, reason: str, by: str, at: datetime) -> None:
    """Release a hold, and record it by the event `audit-log.hold.released`.

    Raises:
        HoldNotFoundError: no active hold has this id.
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    released = update(holds).where(holds.c.hold_id == hold_id, holds.c.released_at.is_(None)).values(released_at=at)
    with open_connection(engine) as connection:
        if not connection.execute(released).rowcount:
            raise HoldNotFoundError("No active hold has this id: `audit-log hold list` shows all.")
        record = audit_event("hold.released", hold_id, at=at, reason=reason, by=by)
        insert_own_event(connection, dialect_of(engine), record)
        connection.commit()


def fixed(connection: Connection) -> list[Hold]:
    """Return the active holds, and let none be placed before the end of this transaction."""
    dialect_of(connection.engine).keep_holds(connection)
    return _active(connection)


def any_of(found: Iterable[Hold]) -> ColumnElement[bool]:
    """Return the condition that one of these holds keeps an event."""
    return or_(false(), *(hold.condition for hold in found))


def kept(engine: Engine, condition: ColumnElement[bool]) -> dict[str, int]:
    """Count the events for which a condition applies and that active holds keep, by the id of the hold.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    counts = {}
    for hold in active(engine):
        query = select(func.count()).select_from(events).where(condition, hold.condition)
        with open_read_connection(engine) as connection:
            counts[hold.hold_id] = int(connection.execute(query).scalar_one())
    return {hold_id: count for hold_id, count in counts.items() if count}


def record_kept(engine: Engine, counts: Mapping[str, int], *, at: datetime) -> None:
    """Record that holds prevented the deletion of numbers of events, by an event `audit-log.hold.refused` for each.

    Raises:
        StoreUnavailableError: nothing was recorded; trying again later helps.
    """
    with open_connection(engine) as connection:
        for hold_id, count in counts.items():
            record = audit_event("hold.refused", hold_id, at=at, operation="retention", events=count)
            insert_own_event(connection, dialect_of(engine), record)
        connection.commit()


def holding(connection: Connection, found: Iterable[Hold], condition: ColumnElement[bool]) -> Hold | None:
    """Return that of these holds that keeps one of the stored events for which a condition applies."""
    for hold in found:
        if connection.execute(select(events.c.event_id).where(condition, hold.condition).limit(1)).first():
            return hold
    return None


def refuse(engine: Engine, hold: Hold, operation: str, *, by: str, at: datetime) -> EventHeldError:
    """Record that a hold prevented an operation, by the event `audit-log.hold.refused`; return the error to raise."""
    with open_connection(engine) as connection:
        record = audit_event("hold.refused", hold.hold_id, at=at, operation=operation, by=by)
        insert_own_event(connection, dialect_of(engine), record)
        connection.commit()
    return EventHeldError(
        f"The legal hold {hold.hold_id} keeps some of these events: nothing more is erased or deleted. "
        f"`audit-log hold list` shows its reason; after `audit-log hold release {hold.hold_id}` try again."
    )


def _active(connection: Connection) -> list[Hold]:
    fields = ("hold_id", "reason", "placed_at", *_SCOPE)
    return [Hold(**{name: row[name] for name in fields}) for row in connection.execute(_ACTIVE).mappings()]
