"""GET /event/{event_id}: look up one event."""

from typing import Final

from core.auth.tokens import READ
from core.errors import EventNotFoundError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.handler import lambda_handler
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import Response

NOT_FOUND: Final = "No event has this id, or the token may not see it. A new event appears within a second."


def get_event(request: Request, services: Services) -> Response:
    """Look up one event. An event that the token may not see is a 404 like one that does not exist."""
    claims = authenticate(request, services, READ)
    QueryString(request.query, known=()).raise_errors()
    event_id = request.path_parameters.get("event_id", "").lower()
    event = services.reader.get(event_id) if event_id.isascii() else None
    if event is None or not claims.may_touch(event.customer_id):
        raise EventNotFoundError(NOT_FOUND)
    return Response.of(200, event)


handler = lambda_handler(get_event)
