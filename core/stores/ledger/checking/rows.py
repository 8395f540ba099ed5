"""Compares the rows of the events with the commitments of their batches."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, select

from core.domain.erasures import ERASED, STONE_TYPE
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER, Event
from core.ledger.entries import SALT_BYTES, commitment_of, head_of, month_of, month_text
from core.stores.dialects import StoreDialect
from core.stores.ledger.checking.findings import Finding, RangeResult
from core.stores.schema import dropped_months, erasures, events
from core.stores.sealing import salts_of

_ID_BYTES: Final = 16
_MONTH_BYTES: Final = 4
_CUSTOMER_BYTES: Final = 8
_HASH_BYTES: Final = 32
_IDS_PER_QUERY: Final = 500
_UNREADABLE: Final = (TypeError, ValueError, OverflowError, AttributeError)
"""Errors of decoding a row whose columns were changed to something else than the service writes."""

Fields = Mapping[str, Any]


def is_intact(batch: Row[Any]) -> bool:
    """Whether the lists of a batch have as many items as it has events."""
    size = batch.size
    return (
        size > 0
        and len(batch.ids) == _ID_BYTES * size
        and len(batch.months) == _MONTH_BYTES * size
        and len(batch.customers) == _CUSTOMER_BYTES * size
        and (batch.commitments is None or len(batch.commitments) == _HASH_BYTES * size)
    )


def ids_of(packed: bytes) -> list[str]:
    """Decode the ids of a batch."""
    return [str(UUID(bytes=packed[place : place + _ID_BYTES])) for place in range(0, len(packed), _ID_BYTES)]


def months_of(packed: bytes) -> list[int]:
    """Decode the months of a batch."""
    return list(_numbers(packed, _MONTH_BYTES))


class RowCheck:
    """Checks the rows of batches by one connection."""

    def __init__(self, connection: Connection, dialect: StoreDialect, result: RangeResult) -> None:
        self._connection = connection
        self._dialect = dialect
        self._result = result
        self._recorded_ids = lru_cache(maxsize=64)(self._ids_erased_by)

    def check(self, batch: Row[Any]) -> None:
        """Check the rows of an intact batch."""
        ids, months = ids_of(batch.ids), months_of(batch.months)
        self._result.months.update(months)
        customers = list(_numbers(batch.customers, _CUSTOMER_BYTES))
        for start in range(0, batch.size, _IDS_PER_QUERY):
            wanted = ids[start : start + _IDS_PER_QUERY]
            found = self._rows(wanted)
            erased = self._erasures([event_id for event_id, row in found.items() if row and row["salts"] is None])
            for place, event_id in enumerate(wanted, start):
                if event_id not in found:
                    self._result.miss(event_id, batch.first_index + place, months[place])
                    continue
                row = found[event_id]
                problem: str | None = "its row cannot be decoded"
                if row is not None:
                    if (row["batch"], row["place"]) != (batch.number, place):
                        self._find("moved", f"claims place {row['place']} of batch {row['batch']}", batch, place, ids)
                    start_of = _HASH_BYTES * place
                    commitment = batch.commitments and batch.commitments[start_of : start_of + _HASH_BYTES]
                    problem = self._problem(row, erased.get(event_id), commitment, months[place], customers[place])
                if problem:
                    self._find("changed", problem, batch, place, ids)
        if batch.commitments is None:
            self._result.uncommitted += batch.size

    def _problem(
        self, row: Fields, erasure: Fields | None, commitment: bytes | None, month: int, customer: int
    ) -> str | None:
        """Return why a row is not the event that was committed to."""
        try:
            if month_of(row["timestamp_utc"]) != month:
                return "it has another month than its entry"
            if row["customer_id"] != customer:
                return "it has another customer than its batch"
            if commitment is None:
                return None
            event = Event.model_construct(**{name: row[name] for name in Event.model_fields})
            if row["salts"] is None:
                return self._erasure_problem(event, erasure, commitment)
            salts = salts_of(row["salts"])
            is_same = len(salts) == SALT_BYTES and commitment_of(event, salts) == commitment
        except _UNREADABLE:
            return "its row has values that the service does not write"
        return None if is_same else "it differs from its commitment"

    def _erasure_problem(self, event: Event, erasure: Fields | None, commitment: bytes) -> str | None:
        if erasure is None:
            return "its salts are gone, and no erasure explains it"
        if event.event_data:
            return "it has data, although it was erased"
        by_event, whole = erasure["by_event"], bool(erasure["whole"])
        month = month_text(month_of(int(erasure["erased_at"].timestamp())))
        recorded = self._recorded_ids(by_event, whole, month)
        if recorded is not None and event.event_id not in recorded:
            return f"it is erased, and the event {by_event} does not record it"
        self._result.erased += 1
        if whole:
            is_stone = event.event_type == STONE_TYPE and event.customer_id == SYSTEM_CUSTOMER
            return None if is_stone else "it was erased as a whole, and has content"
        head = head_of(event, erasure["head_salt"], erasure["data_digest"])
        return (
            None
            if sha256(head).digest() == commitment
            else "the rest that its erasure left differs from its commitment"
        )

    def _ids_erased_by(self, by_event: str, whole: bool, month: str) -> frozenset[str] | None:  # noqa: FBT001 - a cached key
        """Return the ids that an event records as erased; None if retention has deleted that event."""
        row = self._rows([by_event]).get(by_event)
        if row is None:
            dropped = self._connection.execute(select(dropped_months.c.month).where(dropped_months.c.month == month))
            return None if dropped.first() else frozenset()
        data = row["event_data"]
        is_record = row["event_type"] == RESERVED_PREFIX + ERASED and data.get("whole") is whole
        return frozenset(data["event_ids"]) if is_record else frozenset()

    def _rows(self, ids: Sequence[str]) -> dict[str, Fields | None]:
        """Return the rows with these ids; None for a row that cannot be decoded."""
        query = self._dialect.select_by_ids(ids).add_columns(events.c.salts, events.c.batch, events.c.place)
        try:
            return {row["event_id"]: dict(row) for row in self._connection.execute(query).mappings().all()}
        except _UNREADABLE:
            if len(ids) == 1:
                return {ids[0]: None}
            middle = len(ids) // 2
            return self._rows(ids[:middle]) | self._rows(ids[middle:])

    def _erasures(self, ids: Sequence[str]) -> dict[str, Fields]:
        if not ids:
            return {}
        rows = self._connection.execute(select(erasures).where(erasures.c.event_id.in_(ids))).mappings()
        return {row["event_id"]: dict(row) for row in rows}

    def _find(self, kind: Any, detail: str, batch: Row[Any], place: int, ids: Sequence[str]) -> None:
        self._result.findings.add(Finding(kind, detail, ids[place], batch.first_index + place))


def _numbers(packed: bytes, width: int) -> Iterator[int]:
    for place in range(0, len(packed), width):
        yield int.from_bytes(packed[place : place + width], "big", signed=True)
