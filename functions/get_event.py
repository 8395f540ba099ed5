"""GET /event/{event_id}: look up one event."""

from collections.abc import Sequence
from typing import Final

from pydantic import RootModel

from core.auth.tokens import READ
from core.domain.erasures import ErasedEvent
from core.domain.models import Event
from core.errors import EventNotFoundError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.handler import lambda_handler
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import Response

NOT_FOUND: Final = "No event has this id, or the token may not see it. A new event appears within a second."


class FoundEvent(RootModel[ErasedEvent | Event]):
    """An event, also one that was erased."""


def with_erasures(events: Sequence[Event], services: Services) -> list[Event]:
    """Return the events, and those that were erased as `ErasedEvent`.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    without_data = [event.event_id for event in events if not event.event_data]  # no client can post such an event
    if not without_data:
        return list(events)
    found = services.reader.erased(without_data)
    return [
        ErasedEvent.model_construct(**dict(event), erased=found[event.event_id]) if event.event_id in found else event
        for event in events
    ]


def get_event(request: Request, services: Services) -> Response:
    """Look up one event. An event that the token may not see is a 404 like one that does not exist."""
    claims = authenticate(request, services, READ)
    QueryString(request.query, known=()).raise_errors()
    event_id = request.path_parameters.get("event_id", "").lower()
    event = services.reader.get(event_id) if event_id.isascii() else None
    if event is None or not claims.may_touch(event.customer_id):
        raise EventNotFoundError(NOT_FOUND)
    [found] = with_erasures([event], services)
    return Response.of(200, found)


handler = lambda_handler(get_event)
