"""POST /erasure: erase events permanently."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
)

from core.auth.tokens import ERASE, Claims
from core.domain import strict_json
from core.domain.erasures import BEYOND
from core.domain.field_errors import field_errors
from core.domain.models import CustomerId, EventId, Timestamp, no_default
from core.errors import ErasureRefusedError, InsufficientScopeError, InvalidFieldsError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_EVENT_BODY_BYTES
from functions.http.media_types import JSON, media_type
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import Response, ResponseModel

MAX_IDS: Final = 1_000
MAX_REASON: Final = 1_000
ERASE_SECONDS: Final = 5.0
"""After this time a request begins no further transaction. API Gateway waits for 29 seconds."""
SCRUB_SECONDS: Final = 15.0

_MAX_ERRORS: Final = 20
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is required: say why, the record keeps it",
    "extra_forbidden": "is not a field of an erasure: use event_ids, or customer_id and before; whole; reason",
}
"""By pydantic's error type: the messages that are about erasures."""


def _present(value: object) -> object:
    if value is None:
        raise ValueError("must not be null: leave the field out")
    return value


def _not_too_many(value: object) -> object:
    # pydantic looks at every item before it counts them, and makes an error of each: half a second for 100,000.
    if isinstance(value, list) and len(value) > MAX_IDS:
        raise ValueError(f"must have at most {MAX_IDS} items")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank: say why, the record keeps it")
    return value


class NewErasure(BaseModel):
    """A request for an erasure: of listed events, or of a customer's events up to a time."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"customer_id": 42, "before": 1_767_225_600, "reason": "end of contract"}]},
    )

    event_ids: Annotated[
        list[EventId] | None,
        BeforeValidator(_present),
        BeforeValidator(_not_too_many),
        Field(min_length=1, max_length=MAX_IDS),
    ] = Field(default=None, description="Events to erase.", json_schema_extra=no_default)
    customer_id: Annotated[CustomerId | None, BeforeValidator(_present)] = Field(
        default=None,
        description="Customer whose events are erased, in place of `event_ids`.",
        json_schema_extra=no_default,
    )
    before: Annotated[Timestamp | None, BeforeValidator(_present)] = Field(
        default=None,
        description="First time of the customer's events to keep, in Unix seconds; default: now.",
        json_schema_extra=no_default,
    )
    whole: StrictBool = Field(default=False, description="Erase type, customer and sender as well.")
    reason: Annotated[StrictStr, AfterValidator(_not_blank)] = Field(
        min_length=1, max_length=MAX_REASON, description="Why. The record keeps it: no personal data."
    )


class Erasure(ResponseModel):
    """What a request for an erasure has done."""

    erased: int = Field(description="Events that this request erased; 0 if all were erased before.")
    complete: bool = Field(
        description="Whether no event is left, and erased content is gone from the database's files."
    )
    next: NewErasure | None = Field(description="Body of the request that continues; null if it is complete.")
    not_reached: list[str] = Field(description="Places that still may have the content.", examples=[[BEYOND[0]]])


def erase_events(request: Request, services: Services) -> Response:
    """Erase the data of events permanently, or all of them but ids and times. Each transaction is itself an event.

    A request takes a few seconds at most. If it is a 202, send `next` until it is a 200: neither happens by itself. A
    request may be repeated. A legal hold on one of the events is a 409 with its id.
    """
    from core.stores.erasing import Request as Order  # noqa: PLC0415 - other functions need no database
    from core.stores.erasing import Selection  # noqa: PLC0415

    claims = authenticate(request, services, ERASE)
    QueryString(request.query, known=()).raise_errors()
    body = decode_body(request, MAX_EVENT_BODY_BYTES)
    media_type(request, JSON)
    now = datetime.fromtimestamp(services.clock(), UTC)
    wanted = _validated(strict_json.loads(body), claims, now)
    ids = tuple(dict.fromkeys(wanted.event_ids or ()))
    selection = Selection(ids, wanted.customer_id, wanted.before, claims.customers)
    order = Order(selection, wanted.whole, wanted.reason, claims.client)
    eraser = services.database.eraser
    try:
        erased, complete = eraser.erase(order, at=now, progress=lambda _: None, until=time.monotonic() + ERASE_SECONDS)
    except ErasureRefusedError as exc:
        raise _invalid("event_ids" if ids else "customer_id", str(exc)) from None
    not_reached = [*BEYOND]
    if complete:
        scrubbed = eraser.scrub(SCRUB_SECONDS)
        complete = scrubbed.done
        not_reached += [scrubbed.left] if scrubbed.left else []
    # Without the fields that are left out: `next` is the body of a request, where null is refused.
    following = None if complete else wanted.model_dump(exclude_none=True)
    result = {"erased": erased, "complete": complete, "next": following, "not_reached": not_reached}
    return Response(200 if complete else 202, orjson.dumps(result))


def _validated(value: object, claims: Claims, now: datetime) -> NewErasure:
    """Return the request, with the time up to which it erases the events of a customer."""
    if not isinstance(value, dict):
        raise _invalid("", "must be a JSON object with event_ids or customer_id, and reason")
    try:
        wanted = NewErasure.model_validate(value)
    except ValidationError as exc:
        errors = field_errors(exc, _MESSAGES)[:_MAX_ERRORS]
        raise InvalidFieldsError("The erasure is invalid: see errors.", errors) from None
    if (wanted.event_ids is None) == (wanted.customer_id is None):
        raise _invalid("event_ids", "give either event_ids or customer_id")
    if wanted.customer_id is None:
        if wanted.before is not None:
            raise _invalid("before", "goes together with customer_id")
        return wanted
    if not claims.may_touch(wanted.customer_id):
        raise InsufficientScopeError("The token is limited to other customers.", ERASE)
    before = int(now.timestamp()) if wanted.before is None else wanted.before
    if before > now.timestamp():
        raise _invalid("before", "is in the future: name a time up to now")
    return wanted.model_copy(update={"before": before})


def _invalid(field: str, message: str) -> InvalidFieldsError:
    return InvalidFieldsError(
        "The erasure is invalid: see errors.", [{"loc": [field] if field else [], "msg": message}]
    )


handler = lambda_handler(erase_events)
