"""GET /event/summary: number of matching events over time, and their most frequent types and customers."""

from typing import Final

from core.auth.tokens import READ
from core.domain.filter_text import DATA_PREFIX
from core.domain.filter_values import data_path
from core.domain.queries import Step
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.event_filters import DATA_PATH_PATTERN, FILTERS, event_filter
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response


def _path(text: str) -> tuple[Step, ...]:
    if not text.startswith(DATA_PREFIX):
        raise ValueError("must be a path into event_data, such as event_data.actor.id")
    return data_path(text.removeprefix(DATA_PREFIX))


BY: Final = Parameter(
    "by",
    _path,
    {"type": "string", "pattern": f"^{DATA_PATH_PATTERN}$"},
    "Path into event_data whose most frequent values are counted, too: event_data.actor.id.",
)
PARAMETERS: Final = (*FILTERS, BY)


def summarize_events(request: Request, services: Services) -> Response:
    """Count the events that match every parameter and that the token may see: over time, by type and by customer.

    Counts the newest 200,000 over time, and the newest 10,000 by type and customer, and by the values at the path `by`.
    With a filter on event_data, or one that no index answers, only the newest 10,000 events that match the other
    filters are examined.
    """
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    filters = event_filter(query, claims)
    path = query.one(BY)
    query.raise_errors()
    return Response.of(200, services.summaries.summarize(filters, path or ()))


handler = lambda_handler(summarize_events)
