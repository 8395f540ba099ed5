"""Posted events: validates them, and builds the events that are queued."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from pydantic import ValidationError

from core.auth.tokens import WRITE, Claims
from core.domain.models import Event, NewEvent
from core.errors import FieldError, InsufficientScopeError, InvalidFieldsError
from core.wiring import Services
from functions.http.request import Request
from functions.http.route import Header

MAX_ERRORS: Final = 20
"""Errors listed for one event, so that a response is not many times larger than its request."""

IDEMPOTENCY_KEY: Final = Header(
    "Idempotency-Key",
    "Makes retries safe: the id is derived from client and key, so events with the same key are stored once.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
)

_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(request: Request) -> str | None:
    """Return the `Idempotency-Key` of the request, or None.

    Raises:
        InvalidFieldsError: not 1 to 255 visible ASCII characters.
    """
    key = request.header("idempotency-key")
    if key is not None and not _VISIBLE.fullmatch(key):
        raise InvalidFieldsError(
            "The Idempotency-Key is invalid.",
            [{"loc": ["Idempotency-Key"], "msg": "must have 1 to 255 visible ASCII characters, no spaces"}],
        )
    return key


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return the first `MAX_ERRORS` errors of a validation, without input values, and the number of the others."""
    all_errors = error.errors(include_url=False, include_context=False, include_input=False)
    errors: list[FieldError] = [
        {"loc": list(each["loc"]), "msg": each["msg"].removeprefix("Value error, ")} for each in all_errors[:MAX_ERRORS]
    ]
    if len(all_errors) > MAX_ERRORS:
        errors.append({"loc": [], "msg": f"and {len(all_errors) - MAX_ERRORS} more errors"})
    return errors


def validate_event(value: object) -> NewEvent:
    """Validate a posted event.

    Raises:
        InvalidFieldsError: a field is missing, unknown or invalid.
    """
    try:
        return NewEvent.model_validate(value)
    except ValidationError as exc:
        raise InvalidFieldsError("The event is invalid: see errors.", field_errors(exc)) from None


def build_event(new: NewEvent, claims: Claims, services: Services, key: str | None) -> Event:
    """Build the event to store, received now from the client of the token."""
    return Event.received(new, at=_moment(int(services.clock() * 1000)), by=claims.client, idempotency_key=key)


@lru_cache(maxsize=8)  # under load, several events have the same millisecond
def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def require_customers(claims: Claims, events: Sequence[NewEvent]) -> None:
    """Check that the token may write events of these customers.

    Raises:
        InsufficientScopeError: at least one event is for another customer.
    """
    if claims.customers is not None and not {new.customer_id for new in events} <= set(claims.customers):
        raise InsufficientScopeError("The token is limited to certain customers, which do not include this one.", WRITE)
