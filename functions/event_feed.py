"""GET /event/feed: events in the order in which they were stored, for readers that must not miss one."""

from collections.abc import Sequence
from functools import partial
from typing import Final
from urllib.parse import urlencode

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from core.auth.sealed_cursor import CursorSeal
from core.auth.tokens import READ, Claims
from core.domain.erasures import ErasedEvent
from core.domain.filter_values import integer
from core.domain.models import Event, no_default
from core.domain.strict_json import MAX_INTEGER
from core.errors import InvalidFieldsError
from core.ports.feed import FeedPage, FeedRequest
from core.wiring import Services
from functions.get_event import with_erasures
from functions.http.bearer import authenticate
from functions.http.event_filters import FILTERS, event_filter
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_RESPONSE_BYTES
from functions.http.long_poll import LongPoll
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response, ResponseModel
from functions.http.route import Header

MAX_LIMIT: Final = 1000
MAX_WAIT_SECONDS: Final = 25
"""Below the 29 seconds of API Gateway, and the 60 seconds of common proxies."""

_DEFAULT_LIMIT: Final = 100
_NOW: Final = "now"
_BYTES_PER_INDEX: Final = 32
"""At least what the comma and the index of an event take."""
_BYTES_AROUND: Final = 256
"""At least what an answer without events takes."""

LIMIT: Final = Parameter(
    "limit",
    partial(integer, low=1, high=MAX_LIMIT),
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": _DEFAULT_LIMIT},
    "Maximum number of events in the answer. Large events make shorter answers.",
)
AFTER: Final = Parameter(
    "after",
    str,
    {"type": "string"},
    "Where to continue: `next_cursor` of an answer, with any filters; `now`: only events that are stored from now on. "
    "Default: from the oldest event. A token that sees all customers may also send the `index` of an event.",
)
WAIT: Final = Parameter(
    "wait",
    partial(integer, low=0, high=MAX_WAIT_SECONDS),
    {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0},
    "Seconds to wait at most if there is no event yet. The service may answer sooner without an event; on AWS it does.",
)
PARAMETERS: Final = (*FILTERS, AFTER, LIMIT, WAIT)
NEXT_PAGE: Final = Header(
    "Link",
    'URL of the next page: <...>; rel="next" (RFC 8288). Only while `more` is true, so that following it ends.',
    required=False,
)


class FeedEvent(Event):
    """An event of the feed."""

    index: int | SkipJsonSchema[None] = Field(
        default=None,
        description="Index in the ledger: 0, 1, 2 and so on over all events. Only for tokens that see all customers.",
        json_schema_extra=no_default,
    )


class ErasedFeedEvent(ErasedEvent, FeedEvent):
    """An event of the feed that was erased."""


class Feed(ResponseModel):
    """A page of the feed."""

    events: list[ErasedFeedEvent | FeedEvent]
    count: int = Field(description="Number of events in the answer.", examples=[1])
    next_cursor: str = Field(description="Send as `after` to continue, at once or at any later time.")
    more: bool = Field(
        description="true: ask again at once, even if `events` is empty. false: these were all events so far."
    )
    skipped: int = Field(
        description="Number of events, of the customers asked for, that were passed over because they are no longer "
        "stored.",
        examples=[0],
    )


def event_feed(request: Request, services: Services) -> Response:
    """Get events in the order in which they were stored. Continuing from `next_cursor` misses none and repeats none.

    An event is in the feed about a second after it is stored, on AWS a minute. Filters may change between requests.
    """
    claims = authenticate(request, services, READ)
    query = QueryString(request.query, PARAMETERS)
    filters = event_filter(query, claims)
    limit = query.one(LIMIT) or _DEFAULT_LIMIT
    after = query.one(AFTER)
    wait = query.one(WAIT) or 0
    query.raise_errors()
    seal = CursorSeal(services.feed.cursor_key())
    room = MAX_RESPONSE_BYTES - limit * _BYTES_PER_INDEX - _BYTES_AROUND
    page = services.feed.read(FeedRequest(filters, _position(after, claims, seal), limit, room))
    cursor = seal.seal(page.position)
    continued = urlencode([*(pair for pair in request.query if pair[0] != AFTER.name), (AFTER.name, cursor)])
    headers = {"Link": f'<?{continued}>; rel="next"'} if page.more else {}
    waits = wait and not (page.entries or page.more or page.skipped)
    events = with_erasures([event for _, event in page.entries], services)
    return Response(
        200,
        _body(page, events, cursor, with_index=claims.customers is None),
        headers=headers,
        long_poll=LongPoll(wait, page.position, continued) if waits else None,
    )


handler = lambda_handler(event_feed)


def _position(after: str | None, claims: Claims, seal: CursorSeal) -> int | None:
    """Return the position to continue from; None: from the end.

    Raises:
        InvalidFieldsError: `after` is nothing to continue from, or not for this token.
    """
    if after is None:
        return 0
    if after == _NOW:
        return None
    is_index = after.isdecimal()
    if is_index and claims.customers is not None:
        raise _invalid("must be a cursor: this token does not see indices")
    try:
        return integer(after, low=0, high=MAX_INTEGER) + 1 if is_index else seal.open(after)
    except ValueError as exc:
        raise _invalid(str(exc)) from None


def _invalid(message: str) -> InvalidFieldsError:
    return InvalidFieldsError("The query parameters are invalid: see errors.", [{"loc": [AFTER.name], "msg": message}])


def _body(page: FeedPage, events: Sequence[Event], cursor: str, *, with_index: bool) -> bytes:
    """Encode the answer, a `Feed`. Pydantic would take five times as long."""
    encoded = []
    for (index, _), event in zip(page.entries, events, strict=True):
        members = [event.to_json()[:-1]]
        if isinstance(event, ErasedEvent):
            members.append(b'"erased":' + event.erased.model_dump_json().encode())
        if with_index:
            members.append(b'"index":%d' % index)
        encoded.append(b",".join(members) + b"}")
    more = b"true" if page.more else b"false"
    rest = b'],"count":%d,"next_cursor":"%s","more":%s,"skipped":%d}'
    return b'{"events":[' + b",".join(encoded) + rest % (len(page.entries), cursor.encode(), more, page.skipped)
