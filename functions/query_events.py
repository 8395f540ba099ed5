"""GET /event: find events, page by page."""

from functools import partial
from typing import Final

from core.auth.tokens import READ
from core.domain import cursor
from core.domain.filter_values import integer
from core.domain.models import Event
from core.domain.queries import EventFilter, Matches, Order, Page, PageRequest, Position
from core.domain.strict_json import MAX_INTEGER
from core.wiring import Services
from functions.get_event import with_erasures
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_RESPONSE_BYTES
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 100

OFFSET: Final = Parameter(
    "offset",
    partial(integer, low=0),
    # No default, since generated clients send it, and it does not go together with a cursor.
    {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER},
    "Number of events to skip; default: 0. Not with `cursor`.",
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
    f"Maximum number of events on the page; more than {MAX_LIMIT} becomes {MAX_LIMIT}. Large events make shorter "
    "pages: continue from `next_cursor`, not from offset + limit.",
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
    response = Response.of(200, _page(matches, matches.events, filters, page_request, services))
    if len(response.body) > MAX_RESPONSE_BYTES:
        response = Response.of(200, _page(matches, _first_that_fit(matches.events), filters, page_request, services))
    return response


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


def _page(
    matches: Matches, events: list[Event], filters: EventFilter, request: PageRequest, services: Services
) -> Page:
    """Build a page of `events`, the first of those that were found."""
    offset = request.after.offset if request.after else request.offset
    is_whole = len(events) == len(matches.events)
    end = matches.stopped_at if is_whole else None
    if end is None and (matches.more or not is_whole):
        end = Position.after(events[-1], offset + len(events))
    return Page(
        events=with_erasures(events, services),
        count=len(events),
        offset=offset,
        limit=request.limit,
        total_count=matches.total_count,
        total_relation=matches.total_relation,
        next_cursor=cursor.encode(end, filters, request.order) if end else None,
        searched_to=matches.stopped_at.timestamp_utc if matches.stopped_at and is_whole else None,
    )


def _first_that_fit(events: list[Event]) -> list[Event]:
    """Return as many events as `MAX_RESPONSE_BYTES` allow, at least one."""
    room = MAX_RESPONSE_BYTES
    for number, event in enumerate(events):
        room -= len(event.model_dump_json().encode())
        if room < 0 and number:
            return events[:number]
    return events
