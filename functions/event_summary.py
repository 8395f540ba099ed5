"""GET /event/summary: number of matching events over time, and their most frequent types and customers."""

from core.auth.tokens import READ
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.handler import lambda_handler
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import Response


def summarize_events(request: Request, services: Services) -> Response:
    """Count the events that match every parameter and that the token may see: over time, by type and by customer.

    Counts the newest 200,000 over time, and the newest 10,000 by type and customer. With a filter on event_data, only
    the newest 10,000 events that match the other filters are examined.
    """
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, FILTERS)
    filters = event_filter(query, claims)
    query.raise_errors()
    return Response.of(200, services.summaries.summarize(filters))


handler = lambda_handler(summarize_events)
