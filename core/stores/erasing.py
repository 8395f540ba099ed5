"""Erasure of events: their data, or all of them but ids and times. The row stays, and its commitment in the ledger.

Each transaction erases up to `EVENTS` events, and has the event `audit-log.events.erased` that records it. So an
erasure that was interrupted has recorded its part, and another run with the same arguments continues. Of an event whose
data was erased, head salt and hash of the data document are left: its proof stays the same, byte for byte.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, exists, func, insert, select, update

from core.domain.audit_events import VIEWER_TYPE, audit_event
from core.domain.erasures import ERASED, STONE_RECORDER, STONE_TYPE
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER, Event
from core.errors import ErasureRefusedError
from core.ledger.entries import SALT_BYTES, data_document
from core.stores.alert_memory import forget_customer
from core.stores.connections import open_connection
from core.stores.dialects import Scrubbed, dialect_of
from core.stores.holds import active, fixed, holding, refuse
from core.stores.own_events import insert_own_event
from core.stores.schema import EVENT_COLUMNS, erasures, events, ledger_batches
from core.stores.sealing import salts_of

EVENTS: Final = 250
"""Events of one transaction: each may have 256 KiB."""
_CUSTOMER_BYTES: Final = 8
_IDS_PER_QUERY: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Events to be erased: those with ids, or those of a customer with a time before `before`, in Unix seconds.

    `visible` has the customers that the person may see; None: all. Ids of the others count as unknown, and so do those
    of events that somebody else erased as a whole.
    """

    event_ids: tuple[str, ...] = ()
    customer_id: int | None = None
    before: int | None = None
    visible: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An erasure, with the reason and the person that its records name."""

    selection: Selection
    whole: bool
    reason: str
    by: str


class Eraser:
    """Erases events in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)

    def count(self, request: Request, *, at: datetime) -> int:
        """Return how many events would be erased; 0 if all of them are erased already.

        Raises:
            ErasureRefusedError, EventHeldError, StoreUnavailableError: see `check`.
        """
        self.check(request, at=at)
        with open_connection(self._engine) as connection:
            query = select(func.count()).select_from(events).where(self._condition(request))
            return int(connection.execute(query).scalar_one())

    def check(self, request: Request, *, at: datetime) -> None:
        """Check whether the events of a request may be erased.

        Raises:
            ErasureRefusedError: an id is unknown or of an event of the service itself, or the time is in the future.
            EventHeldError: a legal hold keeps one of them; the refusal is recorded.
            StoreUnavailableError: trying again later helps.
        """
        selection = request.selection
        if selection.before is not None and selection.before > at.timestamp():
            raise ErasureRefusedError("The time is in the future: name a time up to now.")
        if selection.customer_id == SYSTEM_CUSTOMER:
            raise ErasureRefusedError(
                f"The customer {SYSTEM_CUSTOMER} is the service itself: its events explain the others and stay."
            )
        holds = active(self._engine)
        with open_connection(self._engine) as connection:
            self._require_known(connection, request)
            hold = holding(connection, holds, self._condition(request))
        if hold:
            raise refuse(self._engine, hold, "erase", by=request.by, at=at)

    def erase(
        self, request: Request, *, at: datetime, progress: Callable[[int], None], until: float = math.inf
    ) -> tuple[int, bool]:
        """Erase the events of a request; return their number, and whether none is left.

        `progress` gets numbers of events. After `until`, of `time.monotonic`, no further transaction is begun.

        Raises:
            ErasureRefusedError, EventHeldError: see `check`; events erased before stay erased.
            StoreUnavailableError: trying again with the same request continues.
        """
        self.check(request, at=at)
        total = 0
        while erased := self._erase_some(request, at):
            total += erased
            progress(erased)
            if time.monotonic() > until:
                return total, False
        return total, True

    def scrub(self, seconds: float | None = None) -> Scrubbed:
        """Remove the erased content from the files of the database, for about as long; None: until it is done.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        with open_connection(self._engine):  # translates the errors of the driver
            return self._dialect.scrub(self._engine, seconds)

    def _erase_some(self, request: Request, at: datetime) -> int:
        condition = self._condition(request)
        query = select(*EVENT_COLUMNS, events.c.salts, events.c.batch, events.c.place).where(condition)
        with open_connection(self._engine) as connection:
            self._dialect.begin_erasing(connection)
            holds = fixed(connection)
            rows = connection.execute(query.limit(EVENTS).with_for_update()).mappings().all()
            if not rows:
                return 0
            if hold := holding(connection, holds, events.c.event_id.in_([row["event_id"] for row in rows])):
                connection.rollback()
            else:
                if request.selection.customer_id is not None:
                    forget_customer(connection, request.selection.customer_id)
                self._erase_rows(connection, rows, request, at)
                connection.commit()
        if hold:
            raise refuse(self._engine, hold, "erase", by=request.by, at=at)
        return len(rows)

    def _erase_rows(self, connection: Connection, rows: Sequence[Any], request: Request, at: datetime) -> None:
        before = [Event.model_construct(**{name: row[name] for name in Event.model_fields}) for row in rows]
        left: dict[str, object] = {"event_data": {}}
        if request.whole:
            left |= {"event_type": STONE_TYPE, "customer_id": SYSTEM_CUSTOMER, "recorded_by": STONE_RECORDER}
        ids = [event.event_id for event in before]
        record = audit_event(
            ERASED, "events", at=at, event_ids=ids, events=len(ids), whole=request.whole, reason=request.reason,
            by=request.by,
        )  # fmt: skip
        self._dialect.replace_terms(connection, before, [event.model_copy(update=left) for event in before])
        connection.execute(update(events).where(events.c.event_id.in_(ids)).values(**left, salts=None))
        connection.execute(delete(erasures).where(erasures.c.event_id.in_(ids)))
        facts = {"erased_at": at, "by_event": record.event_id, "whole": request.whole}
        connection.execute(
            insert(erasures),
            [
                {"event_id": event.event_id, **facts, **_rest(event, row["salts"], whole=request.whole)}
                for event, row in zip(before, rows, strict=True)
            ],
        )
        if request.whole:
            self._hide_customers(connection, rows)
        insert_own_event(connection, self._dialect, record)

    def _hide_customers(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Write the customer of the service over those of erased events in the rows of their batches."""
        places: dict[int, list[int]] = {}
        for row in rows:
            if row["batch"] is not None:
                places.setdefault(row["batch"], []).append(row["place"])
        of_service = SYSTEM_CUSTOMER.to_bytes(_CUSTOMER_BYTES, "big", signed=True)
        for number in sorted(places):
            this = ledger_batches.c.number == number
            customers = bytearray(
                connection.execute(select(ledger_batches.c.customers).where(this).with_for_update()).scalar_one()
            )
            for place in places[number]:
                customers[_CUSTOMER_BYTES * place : _CUSTOMER_BYTES * (place + 1)] = of_service
            connection.execute(update(ledger_batches).where(this).values(customers=bytes(customers)))

    def _condition(self, request: Request) -> ColumnElement[bool]:
        """Condition for the events of a request that are not erased yet, or less than it asks for."""
        selection = request.selection
        done = exists().where(erasures.c.event_id == events.c.event_id)
        if request.whole:
            done = done.where(erasures.c.whole.is_(True))
        if selection.event_ids:
            return and_(events.c.event_id.in_(selection.event_ids), ~done)
        time = events.c.timestamp_utc < selection.before if selection.before is not None else ~done
        return and_(events.c.customer_id == selection.customer_id, time, ~done)

    def _require_known(self, connection: Connection, request: Request) -> None:
        event_ids, visible = request.selection.event_ids, request.selection.visible
        found: dict[str, str] = {}
        for start in range(0, len(event_ids), _IDS_PER_QUERY):
            part = event_ids[start : start + _IDS_PER_QUERY]
            rows = connection.execute(self._dialect.select_by_ids(part)).mappings().all()
            stones = [row["event_id"] for row in rows if row["event_type"] == STONE_TYPE]
            own = self._erased_by(request.by, connection, stones) if visible is not None else set()
            found |= {
                row["event_id"]: row["event_type"]
                for row in rows
                if visible is None or row["customer_id"] in visible or row["event_id"] in own
            }
        if unknown := sorted({*event_ids} - found.keys()):
            raise ErasureRefusedError(
                f"{len(unknown)} of the ids belong to no stored event, the first is number "
                f"{event_ids.index(unknown[0]) + 1}: leave them out. An event that is accepted and not stored yet can "
                "be erased a second later; one among the dead letters can be deleted there."
            )
        erasable = {STONE_TYPE, VIEWER_TYPE}
        if any(kind.startswith(RESERVED_PREFIX) and kind not in erasable for kind in found.values()):
            raise ErasureRefusedError("Events of the service itself explain the others and stay: leave them out.")

    def _erased_by(self, by: str, connection: Connection, event_ids: Sequence[str]) -> set[str]:
        """Return those of the events erased as a whole, which have no customer any more, that this person erased.

        A repeat of the request finds them, and no other limited token learns that they existed.
        """
        query = select(erasures.c.event_id, erasures.c.by_event).where(erasures.c.event_id.in_(event_ids))
        record_of: dict[str, str] = dict(connection.execute(query).all())
        records = connection.execute(self._dialect.select_by_ids([*{*record_of.values()}])).mappings()
        own = {row["event_id"] for row in records if row["event_data"].get("by") == by}
        return {event_id for event_id, record in record_of.items() if record in own}


def _rest(event: Event, salts: bytes | str | None, *, whole: bool) -> dict[str, bytes | None]:
    """Return the rest that a proof of an event needs: head salt, and the hash of the data document."""
    if whole or salts is None:
        return {"head_salt": None, "data_digest": None}
    raw = salts_of(salts)
    digest = sha256(data_document(event.event_data, raw)).digest()
    return {"head_salt": raw[: SALT_BYTES // 2], "data_digest": digest}
