"""GET /event/export: export all matching events as lines of a file, in parts that link to each other."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from core.auth.tokens import READ
from core.domain import cursor
from core.domain.filter_values import integer
from core.domain.models import MAX_TIMESTAMP
from core.domain.queries import EventFilter, PageRequest, Position
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.export_formats import MEDIA_TYPES, Format, LineWriter, head, line_writer
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_RESPONSE_BYTES
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Header

PART_SECONDS: Final = 2.0
"""Time after which a part ends, so that exports from a slow database alternate with each other and with queries."""

_PAGE: Final = 100
_MAX_MILLISECONDS: Final = MAX_TIMESTAMP * 1000 + 999


def _format(text: str) -> Format:
    match text:
        case "ndjson" | "csv":
            return text
    raise ValueError("must be ndjson or csv")


FORMAT: Final = Parameter(
    "format",
    _format,
    {"type": "string", "enum": ["ndjson", "csv"], "default": "ndjson"},
    "ndjson: one event as JSON on each line. csv: RFC 4180 with a header row, event_data as a column of JSON. A text "
    "that begins with = + - @ or an apostrophe has one before it, so that no spreadsheet evaluates it: remove an "
    "apostrophe at the start of a text to restore it.",
)
RECEIVED_UNTIL: Final = Parameter(
    "received_until_ms",
    lambda text: integer(text, low=0, high=_MAX_MILLISECONDS),
    {"type": "integer", "minimum": 0, "maximum": _MAX_MILLISECONDS},
    "Only events received at or before this Unix millisecond; default: all so far. Links to further parts keep it, so "
    "events that arrive during an export belong to the next one.",
)
CURSOR: Final = Parameter(
    "cursor", str, {"type": "string"}, "Position of a further part, from the Link of the last one."
)
PARAMETERS: Final = (*FILTERS, FORMAT, RECEIVED_UNTIL, CURSOR)
NEXT_PART: Final = Header(
    "Link", 'URL of the next part: <...>; rel="next" (RFC 8288). Absent from the last part.', required=False
)


def export_events(request: Request, services: Services) -> Response:
    """Export all matching events, oldest first. Follow `Link: <...>; rel="next"` (RFC 8288) to the last part.

    The file is the concatenation of the parts. It contains every event stored when the export began, exactly once.
    """
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    kind = query.one(FORMAT) or "ndjson"
    received_until = query.one(RECEIVED_UNTIL)
    token = query.one(CURSOR)
    filters = event_filter(query, claims)
    query.raise_errors()
    if received_until is None:
        # Events were received later than now if the clock was set back since, or another host's clock is ahead.
        newest = services.reader.newest_receive_time()
        received_until = max(int(services.clock() * 1000), _milliseconds(newest) if newest else 0)
    filters = filters.model_copy(update={"received_until": _datetime(received_until)})
    after = None if token is None else cursor.decode(token, filters, "asc")
    lines = [head(kind)] if after is None else []
    end = _fill(lines, line_writer(kind), filters, after, services)
    headers = {}
    if end:
        own = {RECEIVED_UNTIL.name, CURSOR.name}
        parameters = [(name, value) for name, value in request.query if name not in own]
        position = [(RECEIVED_UNTIL.name, received_until), (CURSOR.name, cursor.encode(end, filters, "asc"))]
        headers["Link"] = f'<?{urlencode([*parameters, *position])}>; rel="next"'
    return Response(200, b"".join(lines), f"{MEDIA_TYPES[kind]}; charset=utf-8", headers)


handler = lambda_handler(export_events)


def _fill(
    lines: list[bytes], line_of: LineWriter, filters: EventFilter, start: Position | None, services: Services
) -> Position | None:
    """Append events to `lines` until the part is full, its time is over, or all are written.

    Returns the position to continue from; None if all are written.
    """
    room = MAX_RESPONSE_BYTES - sum(map(len, lines))
    deadline = services.clock() + PART_SECONDS
    after = start
    while True:
        listing = services.reader.list_page(filters, PageRequest(limit=_PAGE, order="asc", after=after))
        for event in listing.events:
            line = line_of(event)
            if len(line) > room and after is not start:
                return after
            lines.append(line)
            room -= len(line)
            after = Position.after(event, after.offset + 1 if after else 1)
        if listing.stopped_at:
            after = listing.stopped_at
        elif len(listing.events) < _PAGE:
            return None
        if services.clock() > deadline:
            return after


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _datetime(milliseconds: int) -> datetime:
    """Convert milliseconds exactly; a float would round some of them."""
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
