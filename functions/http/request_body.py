"""Validation of posted events: fields, size and Idempotency-Key."""

import re
from collections.abc import Mapping
from typing import Final

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.domain.field_errors import found_errors, message_of
from core.domain.models import TIMESTAMP_RULE, NewEvent
from core.errors import EventTooLargeError, FieldError, InvalidFieldsError
from functions.http.limits import MAX_EVENT_BYTES
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
_MAX_GROWTH: Final = 5
"""Compact JSON is at most that many times as long as the JSON it was decoded from: 1e15 becomes 1000000000000000.0."""

_UNKNOWN: Final = "is not a field of an event: put it into event_data"
_MESSAGES: Final[Mapping[str, str]] = {"extra_forbidden": _UNKNOWN}
"""By pydantic's error type: the messages that are about events."""

_TIMESTAMP_MESSAGES: Final = {"int_type": TIMESTAMP_RULE}


def idempotency_key(request: Request) -> str | None:
    """Return the `Idempotency-Key` of the request, or None.

    Raises:
        InvalidFieldsError: not 1 to 255 visible ASCII characters.
        MalformedRequestError: several such headers.
    """
    key = request.header("idempotency-key")
    if key is not None and not _VISIBLE.fullmatch(key):
        raise InvalidFieldsError(
            "The Idempotency-Key is invalid.",
            [{"loc": ["Idempotency-Key"], "msg": "must have 1 to 255 visible ASCII characters, no spaces"}],
        )
    return key


def validate_event(value: object, sent_bytes: int) -> NewEvent:
    """Validate a posted event, which was decoded from `sent_bytes` bytes of JSON.

    Its size is that of its type, customer and data as compact JSON, however it was sent. So an event that a query
    returned can be sent again, with its id and timestamp.

    Raises:
        InvalidFieldsError: not an object; or a field is missing, unknown or invalid.
        EventTooLargeError: larger than `MAX_EVENT_BYTES`.
    """
    if not isinstance(value, dict):
        raise _invalid([{"loc": [], "msg": "must be a JSON object with event_type, customer_id and event_data"}])
    if len(value) > len(NewEvent.model_fields) + MAX_ERRORS:  # pydantic makes an error of each, in 2 µs
        unknown = [name for name in value if name not in NewEvent.model_fields]
        raise _invalid(_listed([{"loc": [name], "msg": _UNKNOWN} for name in unknown[:MAX_ERRORS]], len(unknown)))
    try:
        new = NewEvent.model_validate(value)
    except ValidationError as exc:
        raise _invalid(_field_errors(exc)) from None
    if sent_bytes * _MAX_GROWTH > MAX_EVENT_BYTES:
        fields = {"event_type": new.event_type, "customer_id": new.customer_id, "event_data": new.event_data}
        size = len(orjson.dumps(fields))
        if size > MAX_EVENT_BYTES:
            raise EventTooLargeError(
                f"The event has {size} bytes as compact JSON: at most {MAX_EVENT_BYTES} are accepted."
            )
    return new


def _invalid(errors: list[FieldError]) -> InvalidFieldsError:
    return InvalidFieldsError("The event is invalid: see errors.", errors)


def _field_errors(error: ValidationError) -> list[FieldError]:
    """Return the first `MAX_ERRORS` errors of a validation, without input values, and the number of the others."""
    all_errors = found_errors(error)
    errors: list[FieldError] = [{"loc": list(each["loc"]), "msg": _message(each)} for each in all_errors[:MAX_ERRORS]]
    return _listed(errors, len(all_errors))


def _listed(errors: list[FieldError], count: int) -> list[FieldError]:
    """Return the errors that are listed, and the number of the others among `count`."""
    more = count - len(errors)
    return [*errors, {"loc": [], "msg": f"and {more} more errors"}] if more else errors


def _message(error: ErrorDetails) -> str:
    by_type = _TIMESTAMP_MESSAGES if error["loc"] == ("timestamp_utc",) else _MESSAGES
    return message_of(error, by_type)
