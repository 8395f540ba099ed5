"""Reading what was posted: JSON and its fields."""

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
"""Errors that are listed of one event: an answer must not be many times as large as its request."""

IDEMPOTENCY_KEY: Final = Header(
    "Idempotency-Key",
    "Events sent again with the same key get the same id, and so are stored once.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
)

_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` of the request.

    Raises:
        InvalidFieldsError: not 1 to 255 visible ASCII characters.
    """
    key = request.header("idempotency-key")
    if key is not None and not _VISIBLE.fullmatch(key):
        raise InvalidFieldsError(
            "The Idempotency-Key cannot be used.",
            [{"loc": ["Idempotency-Key"], "msg": "must have 1 to 255 visible ASCII characters, no spaces"}],
        )
    return key


def field_errors(error: ValidationError) -> list[FieldError]:
    """The first `MAX_ERRORS` errors of a validation, without the values that were sent, and the count of the others."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    errors: list[FieldError] = [
        {"loc": list(each["loc"]), "msg": each["msg"].removeprefix("Value error, ")} for each in found[:MAX_ERRORS]
    ]
    if len(found) > MAX_ERRORS:
        errors.append({"loc": [], "msg": f"and {len(found) - MAX_ERRORS} more errors"})
    return errors


def validate_event(value: object) -> NewEvent:
    """One parsed event, checked.

    Raises:
        InvalidFieldsError: a field is missing, unknown or wrong.
    """
    try:
        return NewEvent.model_validate(value)
    except ValidationError as exc:
        raise InvalidFieldsError("The event is not valid: see errors.", field_errors(exc)) from None


def build_event(new: NewEvent, claims: Claims, services: Services, key: str | None) -> Event:
    """The event as the service keeps it, received now from the token's bearer."""
    return Event.received(new, at=_moment(int(services.clock() * 1000)), by=claims.client, idempotency_key=key)


@lru_cache(maxsize=8)  # under load several events are received in one millisecond
def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def require_customers(claims: Claims, events: Sequence[NewEvent]) -> None:
    """Refuse a write for a customer that the token is not for.

    Raises:
        InsufficientScopeError: at least one event is for another customer.
    """
    if claims.customers is not None and not {new.customer_id for new in events} <= set(claims.customers):
        raise InsufficientScopeError("The token is limited to certain customers, and this is not one of them.", WRITE)
