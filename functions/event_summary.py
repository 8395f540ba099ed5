"""GET /event/summary: how many events match over time, and what they mostly are."""

from core.auth.tokens import READ
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.handler import lambda_handler
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import Response


def summarize_events(request: Request, services: Services) -> Response:
    """Count the events that match every parameter, as far as the token may see them, over time and by what they are.

    The newest 200,000 are counted over time, and the newest 10,000 by type and customer; with a filter on event_data
    the newest 10,000 that the other filters leave are looked at.
    """
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, FILTERS)
    wanted = event_filter(query, claims)
    query.refuse_if_wrong()
    return Response.of(200, services.summaries.summarize(wanted))


handler = lambda_handler(summarize_events)
