"""Which events are meant, as a query string says it: the filters of every route that gives events."""

from typing import Final

from core.auth.tokens import Claims
from core.domain.models import MAX_TIMESTAMP
from core.domain.queries import EventFilter
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from functions.http.query_string import EVENT_DATA, Parameter, QueryString, event_type, integer, timestamp

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
FILTERS: Final = (EVENT_TYPE, CUSTOMER_ID, START, END, EVENT_DATA)


def event_filter(query: QueryString, claims: Claims) -> EventFilter:
    """The events that `FILTERS` name, as far as the token may see them; what is wrong is noted in `query`."""
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
