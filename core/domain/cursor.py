"""Cursors: a place in a listing that a client can hand back, and only for the listing it came from."""

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
    """An opaque text of URL-safe characters for `position` in the listing of `event_filter` in `order`."""
    cursor = _Cursor(position=position, listing=_fingerprint(event_filter, order))
    return base64.urlsafe_b64encode(cursor.model_dump_json().encode()).decode().rstrip("=")


def decode(text: str, event_filter: EventFilter, order: Order) -> Position:
    """The place that `encode` wrote down.

    The text is not secret and not signed: it only says where to go on in a listing whose filter, with the customers
    the token may see, is applied again on every page.

    Raises:
        InvalidFieldsError: not a cursor, or one of another listing (other filters, order or visible customers).
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        cursor = _Cursor.model_validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValidationError):
        raise _refused("is not a cursor: send next_cursor of the last page unchanged") from None
    if cursor.listing != _fingerprint(event_filter, order):
        raise _refused("belongs to another listing: keep filters, order and token as they were on the first page")
    return cursor.position


def _fingerprint(event_filter: EventFilter, order: Order) -> str:
    return hashlib.sha256(f"{order}\n{event_filter.model_dump_json()}".encode()).hexdigest()[:32]


def _refused(message: str) -> InvalidFieldsError:
    return InvalidFieldsError("The cursor cannot be used.", [{"loc": ["cursor"], "msg": message}])
