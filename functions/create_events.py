"""POST /events: accept a batch of events."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from core.auth.tokens import WRITE
from core.domain import strict_json
from core.domain.models import EventId, NewEvent
from core.errors import AuditLogError, FieldError, InsufficientScopeError, InvalidFieldsError
from core.wiring import Services
from functions.create_event import WARNINGS
from functions.http import event_batch
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.event_intake import EventIntake
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_BODY_BYTES
from functions.http.media_types import JSON, NDJSON, media_type
from functions.http.request import Request
from functions.http.request_body import idempotency_key
from functions.http.response import Response, ResponseModel, without_required

MAX_EVENTS: Final = 1000


class NewEvents(BaseModel):
    """A posted batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: list[NewEvent] = Field(min_length=1, max_length=MAX_EVENTS)


class Accepted(ResponseModel):
    """An accepted event of a batch: its index, from 0, and its id."""

    model_config = ConfigDict(json_schema_extra=without_required("warnings"))

    index: int
    event_id: EventId
    warnings: list[FieldError] = WARNINGS


class Rejected(ResponseModel):
    """A rejected event of a batch: its index, from 0, and its errors."""

    index: int = Field(examples=[1])
    errors: list[FieldError] = Field(examples=[[{"loc": ["customer_id"], "msg": "is required"}]])


class BatchResult(ResponseModel):
    """Result of a batch: which events are accepted, and why the others are not."""

    accepted: list[Accepted]
    rejected: list[Rejected]


def create_events(request: Request, services: Services) -> Response:
    """Validate each event separately, and put the valid ones into the queue, all or none of them.

    The response lists the rejected events by index. If none is valid, it is a 422, or a 403 if the token allows none.
    """
    claims = authenticate(request, services, WRITE)
    body = decode_body(request, MAX_BODY_BYTES)
    kind = media_type(request, JSON, NDJSON)
    intake = EventIntake(claims, services, idempotency_key(request))
    accepted: list[dict[str, Any]] = []
    errors: dict[int, AuditLogError] = {}
    for index, item in enumerate(event_batch.items(body) if kind == JSON else event_batch.lines(body)):
        if index == MAX_EVENTS:
            raise event_batch.invalid_batch(f"must have at most {MAX_EVENTS} events: split the batch")
        try:
            value, size = (strict_json.loads(item), len(item)) if isinstance(item, bytes) else (item, len(body))
            accepted.append({"index": index, "event_id": intake.add(value, size, index).event_id})
        except AuditLogError as exc:
            errors[index] = exc
    if not accepted:
        raise _nothing_accepted(errors)
    intake.publish(request.traceparent)
    for item in accepted if intake.warnings else ():
        if item["index"] in intake.warnings:
            item["warnings"] = intake.warnings[item["index"]]
    rejected = [{"index": index, "errors": _field_errors(error)} for index, error in errors.items()]
    # Plain dicts: a thousand models cost as much as their events. `BatchResult` describes them in /openapi.json.
    return Response(202, orjson.dumps({"accepted": accepted, "rejected": rejected}))


handler = lambda_handler(create_events)


def _nothing_accepted(errors: Mapping[int, AuditLogError]) -> AuditLogError:
    """Return the error of a batch without a valid event."""
    if not errors:
        return event_batch.invalid_batch("must have at least one event")
    if all(isinstance(error, InsufficientScopeError) for error in errors.values()):
        return errors[0]
    listed: list[FieldError] = [
        {"loc": ["events", index, *each["loc"]], "msg": each["msg"]}
        for index, error in errors.items()
        for each in _field_errors(error)
    ]
    return InvalidFieldsError("No event of the batch is valid: see errors.", listed)


def _field_errors(error: AuditLogError) -> list[FieldError]:
    match error:
        case InvalidFieldsError():
            return error.errors
        case InsufficientScopeError():
            return [{"loc": ["customer_id"], "msg": str(error)}]
    return [{"loc": [], "msg": str(error)}]
