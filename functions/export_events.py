"""GET /event/export: all events that match, as lines of a file, in parts that link to each other."""

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from core.auth.tokens import READ
from core.domain import cursor
from core.domain.models import MAX_TIMESTAMP, Event
from core.domain.queries import EventFilter, PageRequest, Position
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.export_formats import MEDIA_TYPES, Format, LineWriter, head, line_writer
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString, integer
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Header

MAX_PART_BYTES: Final = 2_000_000
"""Of a part with more than one event. Lambda answers at most 6 MB, and its JSON makes up to three bytes of one."""

PART_SECONDS: Final = 2.0
"""How long a part may be added to, so that exports of a slow database take turns with each other and with queries."""

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
    "ndjson: the JSON of an event on each line. csv: RFC 4180 with a header row, event_data as one column of JSON, and "
    "a quote before a text that a spreadsheet would take for a formula.",
)
RECEIVED_UNTIL: Final = Parameter(
    "received_until_ms",
    lambda text: integer(text, low=0, high=_MAX_MILLISECONDS),
    {"type": "integer", "minimum": 0, "maximum": _MAX_MILLISECONDS},
    "Only events received up to and with this Unix millisecond; default: now. Links to further parts keep it, so that "
    "what comes in meanwhile is left to the next export.",
)
CURSOR: Final = Parameter("cursor", str, {"type": "string"}, "A part that is not the first, as the Link before has it.")
PARAMETERS: Final = (*FILTERS, FORMAT, RECEIVED_UNTIL, CURSOR)
NEXT_PART: Final = Header(
    "Link", 'Where the next part is: <...>; rel="next" (RFC 8288). The last part has none.', required=False
)


def export_events(request: Request, services: Services) -> Response:
    """All events that match, oldest first, in parts: follow `Link: <...>; rel="next"` (RFC 8288) until there is none.

    The parts one after the other are the file. What was stored when the export began is in it exactly once.
    """
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    kind = query.one(FORMAT) or "ndjson"
    received_until = query.one(RECEIVED_UNTIL)
    place = query.one(CURSOR)
    wanted = event_filter(query, claims)
    query.refuse_if_wrong()
    if received_until is None:
        received_until = int(services.clock() * 1000)
    wanted = wanted.model_copy(update={"received_until": _datetime(received_until)})
    after = None if place is None else cursor.decode(place, wanted, "asc")
    lines = [head(kind)] if after is None else []
    following = _fill(lines, line_writer(kind), wanted, after, services)
    headers = {}
    if following:
        given = [(name, value) for name, value in request.query if name not in {RECEIVED_UNTIL.name, CURSOR.name}]
        own = [(RECEIVED_UNTIL.name, received_until), (CURSOR.name, cursor.encode(following, wanted, "asc"))]
        headers["Link"] = f'<?{urlencode([*given, *own])}>; rel="next"'
    return Response(200, b"".join(lines), f"{MEDIA_TYPES[kind]}; charset=utf-8", headers)


handler = lambda_handler(export_events)


def _fill(
    lines: list[bytes], line_of: LineWriter, wanted: EventFilter, start: Position | None, services: Services
) -> Position | None:
    """Add events to `lines` until the part is full, its time is over or there are no more.

    Returns the place to go on from; None if there are no more.
    """
    room = MAX_PART_BYTES - sum(map(len, lines))
    end = services.clock() + PART_SECONDS
    after = start
    while True:
        events = services.reader.list_page(wanted, PageRequest(limit=_PAGE, order="asc", after=after))
        for event in events:
            line = line_of(event)
            if len(line) > room and after is not start:
                return after
            lines.append(line)
            room -= len(line)
            after = _place(event, after)
        if len(events) < _PAGE:
            return None
        if services.clock() > end:
            return after


def _place(event: Event, before: Position | None) -> Position:
    return Position(
        timestamp_utc=event.timestamp_utc, event_id=event.event_id, offset=before.offset + 1 if before else 1
    )


def _datetime(milliseconds: int) -> datetime:
    """Exactly that millisecond; a float would miss some."""
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
