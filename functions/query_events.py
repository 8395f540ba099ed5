"""GET /event: find events, page by page."""

from functools import partial
from typing import Final

from core.auth.tokens import READ
from core.domain import cursor
from core.domain.queries import EventFilter, Order, Page, PageRequest, Position
from core.domain.strict_json import MAX_INTEGER
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString, integer
from functions.http.request import Request
from functions.http.response import Response

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 100

OFFSET: Final = Parameter(
    "offset",
    partial(integer, low=0),
    {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER, "default": 0},
    "Number of events to skip.",
)


def _limit(text: str) -> int:
    try:
        return min(integer(text, low=1), MAX_LIMIT)
    except ValueError as exc:
        raise ValueError(f"{exc}; more than {MAX_LIMIT} becomes {MAX_LIMIT}") from None


LIMIT: Final = Parameter(
    "limit",
    _limit,
    {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER, "default": DEFAULT_LIMIT},
    f"Maximum number of events on the page; more than {MAX_LIMIT} becomes {MAX_LIMIT}.",
)
CURSOR: Final = Parameter(
    "cursor",
    str,
    {"type": "string"},
    "`next_cursor` of the last page, with the same filters; equally fast at any depth. Not with `offset`.",
)


def _order(text: str) -> Order:
    match text:
        case "desc" | "asc":
            return text
    raise ValueError("must be desc (newest first) or asc")


ORDER: Final = Parameter(
    "order", _order, {"type": "string", "enum": ["desc", "asc"], "default": "desc"}, "desc: newest first."
)
PARAMETERS: Final = (*FILTERS, OFFSET, LIMIT, CURSOR, ORDER)


def query_events(request: Request, services: Services) -> Response:
    """Find the events that match every parameter and that the token may see."""
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    filters = event_filter(query, claims)
    page_request = _page_request(query, filters)
    matches = services.reader.find_page(filters, page_request)
    after = page_request.after
    offset = after.offset if after else page_request.offset
    next_cursor = None
    if matches.more:
        end = Position.after(matches.events[-1], offset + len(matches.events))
        next_cursor = cursor.encode(end, filters, page_request.order)
    page = Page(
        events=matches.events,
        count=len(matches.events),
        offset=offset,
        limit=page_request.limit,
        total_count=matches.total_count,
        total_relation=matches.total_relation,
        next_cursor=next_cursor,
    )
    return Response.of(200, page)


handler = lambda_handler(query_events)


def _page_request(query: QueryString, filters: EventFilter) -> PageRequest:
    offset = query.one(OFFSET)
    limit = query.one(LIMIT)
    order: Order = query.one(ORDER) or "desc"
    token = query.one(CURSOR)
    if token is not None and offset is not None:
        query.add_error(OFFSET.name, "cannot be combined with cursor, which has its own position: send one of them")
    query.raise_errors()
    after = None if token is None else cursor.decode(token, filters, order)
    return PageRequest(limit=limit or DEFAULT_LIMIT, offset=offset or 0, order=order, after=after)
