r"""From an event to its leaf in the ledger: data document, head document, entry.

    data document   audit-log.data/1 LF <data salt> LF <canonical event_data>
    head document   audit-log.head/1 LF <head salt> LF <canonical head>, which has the SHA-256 of the data document
    entry           audit-log.event/1 SP <month of timestamp_utc> SP <SHA-256 of the head document> LF

Documents have no LF at the end. Salts are 16 random bytes and hashes 32 bytes, both in lower-case hexadecimal digits;
months are UTC, such as 2026-01.

The salts keep an entry from showing which event it is: a reader of the entry alone cannot try out likely events. The
head without the data document proves type, customer, times and sender without disclosing `event_data`, also after
`event_data` and its salt were erased. The month is legible so that a month whose events were dropped at the end of
their retention explains their absence.
"""

import os
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from core.domain.canonical_json import canonical, canonical_texts
from core.domain.models import Event, rfc3339_milliseconds

SALT_BYTES: Final = 32
"""Bytes of an event's two salts, first that of the head and then that of the data."""
COMMITMENT_BYTES: Final = 32

_DATA: Final = b"audit-log.data/1"
_HEAD: Final = b"audit-log.head/1"
_DOCUMENT: Final = b"%b\n%b\n%b"  # kind, salt, JSON
_ENTRY: Final = b"audit-log.event/1 "
_SECONDS_PER_DAY: Final = 86_400
_MONTHS_PER_YEAR: Final = 12
_EPOCH_YEAR: Final = 1970


class Seals(NamedTuple):
    """The commitments to events, and what it takes to open them; one item for each event."""

    salts: Sequence[bytes]
    """32 random bytes each, see SALT_BYTES."""
    commitments: Sequence[bytes]
    """The SHA-256 of each head document."""


def seal(events: Sequence[Event]) -> Seals:
    """Commit to each event with new salts.

    Raises:
        orjson.JSONEncodeError: see `canonical`.
    """
    random = os.urandom(SALT_BYTES * len(events))
    digits = _pieces(random.hex().encode(), SALT_BYTES)  # each salt is half of the bytes, and twice as many digits
    texts = canonical_texts([event.event_data for event in events])
    commitments = []
    for event, text, head_salt, data_salt in zip(events, texts, digits[::2], digits[1::2], strict=True):
        data = sha256(_DOCUMENT % (_DATA, data_salt, text)).hexdigest()
        commitments.append(sha256(_DOCUMENT % (_HEAD, head_salt, _head(event, data))).digest())
    return Seals(_pieces(random, SALT_BYTES), commitments)


def commitment_of(event: Event, salts: bytes) -> bytes:
    """Return the commitment to an event with the given salts."""
    return sha256(head_document(event, salts)).digest()


def data_document(event_data: dict[str, Any], salts: bytes) -> bytes:
    """Return the data document of an event."""
    return _DOCUMENT % (_DATA, salts[SALT_BYTES // 2 :].hex().encode(), canonical(event_data))


def head_document(event: Event, salts: bytes) -> bytes:
    """Return the head document of an event."""
    digest = sha256(data_document(event.event_data, salts)).digest()
    return head_of(event, salts[: SALT_BYTES // 2], digest)


def head_of(event: Event, head_salt: bytes, data_digest: bytes) -> bytes:
    """Return the head document of an event from the SHA-256 of its data document, which may be erased."""
    return _DOCUMENT % (_HEAD, head_salt.hex().encode(), _head(event, data_digest.hex()))


def _head(event: Event, data: str) -> bytes:
    # The names are in canonical order and no value is a double, so that this is canonical JSON.
    return orjson.dumps(
        {
            "customer_id": event.customer_id,
            "data": data,
            "event_id": event.event_id,
            "event_type": event.event_type,
            "received_at": rfc3339_milliseconds(event.received_at),
            "recorded_by": event.recorded_by,
            "timestamp_utc": event.timestamp_utc,
        }
    )


def _pieces(joined: bytes, size: int) -> tuple[bytes, ...]:
    return struct.unpack(f"{size}s" * (len(joined) // size), joined)


def entry(month: int, commitment: bytes) -> bytes:
    """Return the entry of an event: the bytes that the leaf of the tree is the hash of."""
    return entries_of([month], commitment)[0]


def entries_of(months: Sequence[int], commitments: bytes) -> list[bytes]:
    """Return the entries of events, from their months and their joined commitments.

    Raises:
        ValueError: there are not as many commitments as months.
    """
    digits = commitments.hex("\n", COMMITMENT_BYTES).encode().split()
    starts = {month: b"%b%b " % (_ENTRY, month_text(month).encode()) for month in set(months)}
    return [b"%b%b\n" % (starts[month], commitment) for month, commitment in zip(months, digits, strict=True)]


def month_of(timestamp: int) -> int:
    """Return the number of the month of a time in Unix seconds, in UTC, counted from 1970-01."""
    return _month_of_day(timestamp // _SECONDS_PER_DAY)


@lru_cache(maxsize=1024)
def _month_of_day(day: int) -> int:
    date = datetime.fromtimestamp(day * _SECONDS_PER_DAY, UTC)
    return (date.year - _EPOCH_YEAR) * _MONTHS_PER_YEAR + date.month - 1


@lru_cache(maxsize=1024)
def month_text(month: int) -> str:
    """Return a month, counted from 1970-01, as text: 2026-01."""
    years, months = divmod(month, _MONTHS_PER_YEAR)
    return f"{_EPOCH_YEAR + years:04d}-{months + 1:02d}"
