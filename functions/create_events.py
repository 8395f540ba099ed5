"""POST /events: accept a batch of events."""

from collections.abc import Iterator
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from core.auth.tokens import WRITE
from core.domain import strict_json
from core.domain.models import EventId, NewEvent
from core.errors import AuditLogError, EventTooLargeError, FieldError, InvalidFieldsError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_BODY_BYTES, MAX_EVENT_BYTES
from functions.http.media_types import JSON, NDJSON, media_type
from functions.http.request import Request
from functions.http.request_body import (
    build_event,
    idempotency_key,
    require_customers,
    validate_event,
)
from functions.http.response import Response, ResponseModel

MAX_EVENTS: Final = 1000


class NewEvents(BaseModel):
    """A posted batch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: list[NewEvent] = Field(min_length=1, max_length=MAX_EVENTS)


class Accepted(ResponseModel):
    """An accepted event of a batch: its index, from 0, and its id."""

    index: int
    event_id: EventId


class Rejected(ResponseModel):
    """A rejected event of a batch: its index, from 0, and its errors."""

    index: int
    errors: list[FieldError]


class BatchResult(ResponseModel):
    """Result of a batch: which events are accepted, and why the others are not."""

    accepted: list[Accepted]
    rejected: list[Rejected]


def create_events(request: Request, services: Services) -> Response:
    """Validate each event separately, and put the valid ones into the queue, all or none of them."""
    claims = authenticate(request, services, WRITE)
    body = decode_body(request, MAX_BODY_BYTES)
    kind = media_type(request, JSON, NDJSON)
    key = idempotency_key(request)
    good: dict[int, NewEvent] = {}
    rejected: list[Rejected] = []
    for index, item in enumerate(_items(body) if kind == JSON else _lines(body)):
        if index == MAX_EVENTS:
            raise _not_a_batch(f"must have at most {MAX_EVENTS} events: split the batch")
        try:
            good[index] = _checked(item)
        except InvalidFieldsError as exc:
            rejected.append(Rejected(index=index, errors=exc.errors))
        except AuditLogError as exc:
            rejected.append(Rejected(index=index, errors=[{"loc": [], "msg": str(exc)}]))
    if not good and not rejected:
        raise _not_a_batch("must have at least one event")
    if not good:
        raise InvalidFieldsError("No event of the batch is valid: see errors.", _flat(rejected))
    require_customers(claims, list(good.values()))
    events = {index: build_event(new, claims, services, key and f"{key}\n{index}") for index, new in good.items()}
    services.publish(list(events.values()), request.traceparent)
    accepted = [Accepted(index=index, event_id=event.event_id) for index, event in events.items()]
    return Response.of(202, BatchResult(accepted=accepted, rejected=rejected))


handler = lambda_handler(create_events)


def _items(body: bytes) -> list[object]:
    batch = strict_json.loads(body)
    if not isinstance(batch, dict) or batch.keys() != {"events"} or not isinstance(batch["events"], list):
        raise _not_a_batch('send an object with the one member "events", an array')
    return batch["events"]


def _lines(body: bytes) -> Iterator[bytes]:
    return (line for line in body.split(b"\n") if line.strip())


def _checked(item: object) -> NewEvent:
    size = len(item) if isinstance(item, bytes) else len(orjson.dumps(item))
    if size > MAX_EVENT_BYTES:
        raise EventTooLargeError(f"has {size} bytes of JSON: at most {MAX_EVENT_BYTES} are taken")
    return validate_event(strict_json.loads(item) if isinstance(item, bytes) else item)


def _flat(rejected: list[Rejected]) -> list[FieldError]:
    return [
        {"loc": ["events", entry.index, *error["loc"]], "msg": error["msg"]}
        for entry in rejected
        for error in entry.errors
    ]


def _not_a_batch(message: str) -> InvalidFieldsError:
    return InvalidFieldsError("The batch is not valid: see errors.", [{"loc": ["events"], "msg": message}])
