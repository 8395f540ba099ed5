"""Sealing: inserts events together with the row of their batch, from which the ledger gives each event an index.

Every insertion of events goes through `insert_sealed`, so that each stored event is in exactly one batch. With
`AUDIT_LOG_LEDGER=on` the batch has a commitment to each event, and each event has the salts that open its commitment.
"""

import secrets
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from core.domain.models import Event
from core.domain.strict_json import MAX_INTEGER
from core.errors import EventNotStorableError, StoreUnavailableError
from core.ledger.entries import Seals, month_of, seal
from core.stores.dialects import StoreDialect
from core.stores.engine import has_commitments
from core.stores.schema import ledger_batches

_RANDOM_BITS: Final = 20
_BATCH: Final = insert(ledger_batches)

BatchNumbers = Callable[[], int]


class BatchNumberTakenError(StoreUnavailableError):
    """Another batch has the number. Roll back the transaction and try again, with another number."""


def new_batch_number() -> int:
    """Return Unix milliseconds followed by 20 random bits.

    It must be known before the events are inserted, and asking the database for one would be a round trip. The order of
    numbers is about that of time; only the order of indices is exact.
    """
    return time.time_ns() // 1_000_000 << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)


def seconds_of(batch_number: int) -> float:
    """Return when a batch was sealed, in Unix seconds by the clock of its writer."""
    return (batch_number >> _RANDOM_BITS) / 1000


def first_number_at(seconds: float) -> int:
    """Return the lowest number of a batch that is sealed at a Unix time or later, or the greatest number that fits."""
    return min(int(seconds * 1000) << _RANDOM_BITS, MAX_INTEGER)


def insert_sealed(
    connection: Connection, dialect: StoreDialect, rows: Sequence[Event], new_number: BatchNumbers = new_batch_number
) -> None:
    """Insert `rows`, whose ids are distinct, in this order, as one batch. The caller commits.

    Raises:
        IdTakenError: see `StoreDialect.insert`.
        BatchNumberTakenError: nothing can be committed; trying again helps.
        EventNotStorableError: a value of an event has not its type, or is beyond its bounds.
    """
    number = new_number()
    try:  # before the first INSERT, which locks out other writers on SQLite
        seals = seal(rows) if has_commitments(connection) else None
        batch = batch_row(number, rows, seals)
    except (TypeError, ValueError, OverflowError) as exc:  # among them orjson's errors
        raise EventNotStorableError("The event store cannot store a value of this event.") from exc
    dialect.insert(connection, rows, number, seals and seals.salts)
    try:
        connection.execute(_BATCH, batch)
    except IntegrityError as exc:
        if dialect.is_duplicate_key(exc.orig):
            raise BatchNumberTakenError("Another batch of events got the same number: try again.") from None
        raise


def salts_of(stored: bytes | str) -> bytes:
    """Return the salts in a row: earlier versions of the service stored them on SQLite as digits.

    Raises:
        ValueError: they are a text of anything else.
    """
    return bytes.fromhex(stored) if isinstance(stored, str) else stored


def batch_row(number: int, rows: Sequence[Event], seals: Seals | None) -> dict[str, object]:
    """Return the row of a batch of events, with commitments if there are seals."""
    return {
        "number": number,
        "size": len(rows),
        "ids": bytes.fromhex("".join(row.event_id for row in rows).replace("-", "")),
        "months": _big_endian("i", (month_of(row.timestamp_utc) for row in rows)),
        "customers": _big_endian("q", (row.customer_id for row in rows)),
        "commitments": b"".join(seals.commitments) if seals else None,
    }


def _big_endian(code: Literal["i", "q"], values: Iterable[int]) -> bytes:
    """Return signed integers of 4 (i) or 8 (q) bytes each."""
    numbers = array(code, values)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()
