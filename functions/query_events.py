"""GET /event: one page of the events that match."""

from functools import partial
from typing import Final

from core import cursor
from core.models import MAX_TIMESTAMP
from core.queries import EventFilter, Order, Page, PageRequest, Position
from core.strict_json import MAX_INTEGER, MIN_INTEGER
from core.tokens import READ, Claims
from core.wiring import Services
from functions.auth import authenticate
from functions.endpoint import lambda_handler
from functions.http import Request, Response
from functions.query_string import EVENT_DATA, Parameter, QueryString, event_type, integer, timestamp

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 100

_INTEGER_64: Final = {"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
_TIME: Final = {"type": "integer", "minimum": 0, "maximum": MAX_TIMESTAMP}

EVENT_TYPE: Final = Parameter(
    "event_type",
    event_type,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"},
    "Only events of this type; repeat it for any of several.",
    repeatable=True,
)
CUSTOMER_ID: Final = Parameter(
    "customer_id", integer, _INTEGER_64, "Only events of this customer; repeat it for any of several.", repeatable=True
)
START: Final = Parameter("timestamp_start_utc", timestamp, _TIME, "Only events from this Unix second on.")
END: Final = Parameter("timestamp_end_utc", timestamp, _TIME, "Only events up to and with this Unix second.")
OFFSET: Final = Parameter(
    "offset", partial(integer, low=0), {**_INTEGER_64, "minimum": 0, "default": 0}, "Events to leave out first."
)
LIMIT: Final = Parameter(
    "limit",
    partial(integer, low=1),
    {**_INTEGER_64, "minimum": 1, "default": DEFAULT_LIMIT},
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
FILTERS: Final = (EVENT_TYPE, CUSTOMER_ID, START, END, EVENT_DATA)
PARAMETERS: Final = (*FILTERS, OFFSET, LIMIT, CURSOR, ORDER)


def query_events(request: Request, services: Services) -> Response:
    """Find the events that match every parameter, as far as the token may see them."""
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    wanted = event_filter(query, claims)
    page, after = _page_request(query, wanted)
    found = services.reader.find(wanted, page)
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


def event_filter(query: QueryString, claims: Claims) -> EventFilter:
    """What the parameters in `FILTERS` ask for, within what the token may see; what is wrong is noted in `query`."""
    start = query.one(START)
    end = query.one(END)
    if start is not None and end is not None and start > end:
        query.refuse(START.name, f"must not be after {END.name}")
    return EventFilter(
        event_types=query.many(EVENT_TYPE),
        customer_ids=query.many(CUSTOMER_ID),
        start=start,
        end=end,
        data=query.data_filters(),
        visible_customers=claims.customers,
    )


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
