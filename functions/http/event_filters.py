"""Filters for events, as query parameters of every route that reads them."""

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
    "Only events of this type. Repeatable: any of the types.",
    repeatable=True,
)
CUSTOMER_ID: Final = Parameter(
    "customer_id",
    integer,
    _INTEGER_64,
    "Only events of this customer. Repeatable: any of the customers.",
    repeatable=True,
)
START: Final = Parameter("timestamp_start_utc", timestamp, _TIME, "Only events at or after this Unix second.")
END: Final = Parameter("timestamp_end_utc", timestamp, _TIME, "Only events at or before this Unix second.")
FILTERS: Final = (EVENT_TYPE, CUSTOMER_ID, START, END, EVENT_DATA)


def event_filter(query: QueryString, claims: Claims) -> EventFilter:
    """Build the filter from the parameters `FILTERS`, limited to the customers of the token. Errors go to `query`."""
    start = query.one(START)
    end = query.one(END)
    if start is not None and end is not None and start > end:
        query.add_error(START.name, f"must not be after {END.name}")
    return EventFilter(
        event_types=query.many(EVENT_TYPE),
        customer_ids=query.many(CUSTOMER_ID),
        start=start,
        end=end,
        data=query.data_filters(),
        visible_customers=claims.customers,
    )
