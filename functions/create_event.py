"""POST /event: accept one event."""

from typing import Any, Final, Literal

import orjson
from pydantic import ConfigDict, Field

from core.auth.tokens import WRITE
from core.domain import strict_json
from core.domain.models import EventId
from core.errors import FieldError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.event_intake import EventIntake
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_EVENT_BODY_BYTES
from functions.http.media_types import JSON, media_type
from functions.http.request import Request
from functions.http.request_body import idempotency_key
from functions.http.response import Response, ResponseModel, without_required
from functions.http.route import Header

WARNINGS: Final[Any] = Field(
    default=[],
    description="In which way the event does not conform to its schema in the catalogue; absent if it does.",
    examples=[[{"loc": ["event_data", "actor"], "msg": "is required"}]],
)

LOCATION: Final = Header("Location", "Path of the event, once it is stored.")


class Queued(ResponseModel):
    """An accepted event: the service has it and will store it."""

    model_config = ConfigDict(json_schema_extra=without_required("warnings"))

    event_id: EventId
    status: Literal["queued"] = "queued"
    warnings: list[FieldError] = WARNINGS


def create_event(request: Request, services: Services) -> Response:
    """Validate the event, give it an id and a receive time, and put it into the queue."""
    claims = authenticate(request, services, WRITE)
    body = decode_body(request, MAX_EVENT_BODY_BYTES)
    media_type(request, JSON)  # raises for any other
    intake = EventIntake(claims, services, idempotency_key(request))
    event = intake.add(strict_json.loads(body), len(body))
    intake.publish(request.traceparent)
    location = f"{request.url_prefix}/event/{event.event_id}"
    # A plain dict, because validating costs time here; `Queued` describes it in /openapi.json.
    queued: dict[str, object] = {"event_id": event.event_id, "status": "queued"}
    if intake.warnings:
        queued["warnings"] = intake.warnings[None]
    return Response(202, orjson.dumps(queued), headers={"Location": location})


handler = lambda_handler(create_event)
