"""Pagination cursors: opaque positions, each valid only for the listing that returned it."""

import base64
import binascii
import hashlib

from pydantic import BaseModel, ConfigDict, ValidationError

from core.domain.queries import EventFilter, Order, Position
from core.errors import InvalidFieldsError


class _Cursor(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    position: Position
    listing: str


def encode(position: Position, event_filter: EventFilter, order: Order) -> str:
    """Encode `position` in the listing of `event_filter` in `order` as a URL-safe text."""
    cursor = _Cursor(position=position, listing=_fingerprint(event_filter, order))
    return base64.urlsafe_b64encode(cursor.model_dump_json().encode()).decode().rstrip("=")


def decode(text: str, event_filter: EventFilter, order: Order) -> Position:
    """Decode the position in a cursor.

    A cursor is neither secret nor signed. It only selects a position in the listing; the filter, with the customers
    that the token may see, applies to each page separately.

    Raises:
        InvalidFieldsError: not a cursor, or one of another listing (other filters, order or visible customers).
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        cursor = _Cursor.model_validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValidationError):
        raise _invalid_cursor("is not a cursor: send next_cursor of the last page unchanged") from None
    if cursor.listing != _fingerprint(event_filter, order):
        raise _invalid_cursor("belongs to another listing: keep the filters, order and token of the first page")
    return cursor.position


def _fingerprint(event_filter: EventFilter, order: Order) -> str:
    return hashlib.sha256(f"{order}\n{event_filter.model_dump_json()}".encode()).hexdigest()[:32]


def _invalid_cursor(message: str) -> InvalidFieldsError:
    return InvalidFieldsError("The cursor is invalid.", [{"loc": ["cursor"], "msg": message}])
