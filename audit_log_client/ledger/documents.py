r"""The documents that an entry of the ledger commits to.

data document   audit-log.data/1 LF <32 hex digits, salt> LF <event_data in canonical JSON>
head document   audit-log.head/1 LF <32 hex digits, salt> LF <head in canonical JSON>
entry           audit-log.event/1 SP <YYYY-MM of timestamp_utc in UTC> SP <hex SHA-256 of the head document> LF
"""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, NoReturn

from audit_log_client.ledger.errors import NotProvenError

_HEAD: Final = re.compile(rb"audit-log\.head/1\n[0-9a-f]{32}\n(\{.*\})", re.DOTALL)
_DATA: Final = re.compile(rb"audit-log\.data/1\n[0-9a-f]{32}\n(\{.*\})", re.DOTALL)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_MIN_CUSTOMER: Final = -(2**63)
_MAX_CUSTOMER: Final = 2**63 - 1
_MAX_TIMESTAMP: Final = 253_402_300_799


class Head(NamedTuple):
    """All of an event but its data, as the service recorded it. `data` is the hex SHA-256 of the data document."""

    customer_id: int
    data: str
    event_id: str
    event_type: str
    received_at: str
    recorded_by: str
    timestamp_utc: int


def parse_head(document: bytes) -> Head:
    """Decode a head document.

    Raises:
        NotProvenError: it is not one, to the byte.
    """
    match = _HEAD.fullmatch(document)
    members = _parse(match[1]) if match else {}
    if members.keys() == {*Head._fields} and _canonical(members) == (match[1] if match else b""):
        head = Head(**members)
        if _is_valid(head):
            return head
    raise NotProvenError("The head of the event in the line `extra` is malformed.")


def entry_of(document: bytes, head: Head) -> bytes:
    """Return the entry that commits to a head document."""
    month = datetime.fromtimestamp(head.timestamp_utc, UTC)
    return f"audit-log.event/1 {month.year:04}-{month.month:02} {sha256(document).hexdigest()}\n".encode()


def parse_data(document: bytes, head: Head) -> dict[str, Any]:
    """Decode the data document of an event.

    Raises:
        NotProvenError: it is another one than the head names, or malformed.
    """
    if sha256(document).hexdigest() != head.data:
        raise NotProvenError("The data file is not that of the event: its SHA-256 is not the one in the head.")
    match = _DATA.fullmatch(document)
    if match is None:
        raise NotProvenError("The data file is malformed.")
    return _parse(match[1])


def _parse(text: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotProvenError("A document of the event is not JSON.") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members := dict(pairs)) != len(pairs):
        raise ValueError("a member name twice")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _canonical(members: dict[str, Any]) -> bytes:
    """Encode an object of integers and strings as RFC 8785 does."""
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode(errors="surrogatepass")


def _is_valid(head: Head) -> bool:
    texts = (head.data, head.event_id, head.event_type, head.received_at, head.recorded_by)
    return (
        all(type(text) is str for text in texts)
        and type(head.customer_id) is type(head.timestamp_utc) is int
        and _MIN_CUSTOMER <= head.customer_id <= _MAX_CUSTOMER
        and 0 <= head.timestamp_utc <= _MAX_TIMESTAMP
        and _DIGEST.fullmatch(head.data) is not None
        and _UUID.fullmatch(head.event_id) is not None
        and _TIME.fullmatch(head.received_at) is not None
    )
