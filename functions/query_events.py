"""GET /event: one page of the events that match."""

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
    "Events to leave out first.",
)
LIMIT: Final = Parameter(
    "limit",
    partial(integer, low=1),
    {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER, "default": DEFAULT_LIMIT},
    f"Events on a page; more than {MAX_LIMIT} becomes {MAX_LIMIT}.",
)
CURSOR: Final = Parameter(
    "cursor",
    str,
    {"type": "string"},
    "next_cursor of the page before, with the same filters; costs the same however deep. Not with offset.",
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
    """Find the events that match every parameter, as far as the token may see them."""
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    wanted = event_filter(query, claims)
    page, after = _page_request(query, wanted)
    found = services.reader.find_page(wanted, page)
    before = after.offset if after else page.offset
    following = None
    if found.more:
        last = found.events[-1]
        place = Position(timestamp_utc=last.timestamp_utc, event_id=last.event_id, offset=before + len(found.events))
        following = cursor.encode(place, wanted, page.order)
    answer = Page(
        events=found.events,
        count=len(found.events),
        offset=before,
        limit=page.limit,
        total_count=found.total_count,
        total_relation=found.total_relation,
        next_cursor=following,
    )
    return Response.of(200, answer)


handler = lambda_handler(query_events)


def _page_request(query: QueryString, wanted: EventFilter) -> tuple[PageRequest, Position | None]:
    offset = query.one(OFFSET)
    limit = query.one(LIMIT)
    order: Order = query.one(ORDER) or "desc"
    token = query.one(CURSOR)
    if token is not None and offset is not None:
        query.refuse(OFFSET.name, "cannot be combined with cursor, which knows its place: send one of them")
    query.refuse_if_wrong()
    after = None if token is None else cursor.decode(token, wanted, order)
    return PageRequest(
        limit=min(limit or DEFAULT_LIMIT, MAX_LIMIT), offset=offset or 0, order=order, after=after
    ), after
