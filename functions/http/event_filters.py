"""Filters for events, as query parameters of every route that reads them."""

from functools import partial
from typing import Any, Final

from core.auth.tokens import Claims
from core.domain.filter_text import DATA_PREFIX, END, OPERATORS, OPERATORS_OF, START, WORDS, is_filter
from core.domain.filter_values import STEP_PATTERN
from core.domain.models import MAX_TIMESTAMP
from core.domain.queries import EventFilter
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from functions.http.query_string import Parameter, QueryString

_INTEGER_64: Final = {"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
_TIME: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_TIMESTAMP},
        {"type": "string", "format": "date-time", "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-"},
    ]
}
DATA_PATH_PATTERN: Final = rf"event_data\.{STEP_PATTERN}(\.{STEP_PATTERN})*"
"""A path into event_data, as a regular expression of JSON Schema (ECMA-262)."""
_UNIT: Final = "Unix seconds, or RFC 3339 with a time zone."


def _object(pattern: str) -> dict[str, object]:
    """Return the schema of parameters whose names match a pattern."""
    # Not patternProperties: generators of clients drop what only they allow.
    return {"type": "object", "propertyNames": {"pattern": pattern}, "additionalProperties": {"type": "string"}}


def _operators(operators: tuple[str, ...]) -> str:
    return rf"\[({'|'.join(operators)})\]"


# The grammar parses filters from their text, see `QueryString.filter`.
_Filter: Final = partial(Parameter[Any], parse=str)

EVENT_TYPE: Final = _Filter(
    name="event_type",
    schema={"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"},
    description="Only events of this type. Repeatable: any of the types.",
    repeatable=True,
)
CUSTOMER_ID: Final = _Filter(
    name="customer_id",
    schema=_INTEGER_64,
    description="Only events of this customer. Repeatable: any of the customers.",
    repeatable=True,
)
EVENT_DATA: Final = _Filter(
    name=DATA_PREFIX.removesuffix("."),
    schema=_object(rf"^{DATA_PATH_PATTERN}({_operators(OPERATORS)})?$"),
    description="Only events with this value at a path, one parameter per path: event_data.admin_data.username=admin. "
    "[*] stands for any element of an array: event_data.targets[*].id=7. true, false, null and numbers match their "
    'JSON values; quotes force a string. A name with a dot or bracket goes in double quotes: event_data."a.b"=1. '
    f"An operator may follow the path: event_data.size[gte]=5. Operators: {', '.join(OPERATORS)}.",
    members=(f"{DATA_PREFIX}PATH",),
    is_member=lambda name: is_filter(name) and name.startswith(DATA_PREFIX),
)
_FIELDS: Final = tuple(field for field in OPERATORS_OF if field != EVENT_DATA.name)
FIELD: Final = _Filter(
    name="FIELD",
    schema=_object(
        rf"^((event_type|recorded_by){_operators(OPERATORS_OF['event_type'])}"
        rf"|(customer_id|timestamp_utc|received_at){_operators(OPERATORS_OF['customer_id'])}"
        r"|recorded_by|timestamp_utc|received_at)$"
    ),
    description="Only events whose field compares like this with the value, one parameter per comparison: "
    f"received_at[gte]=2026-01-31T12:00:00Z. Fields: {', '.join(_FIELDS)}. Operators: "
    f"{', '.join(OPERATORS_OF['event_type'])}; without one, equality. Times: {_UNIT}",
    members=_FIELDS,
    is_member=lambda name: is_filter(name) and not name.startswith(DATA_PREFIX),
)
Q: Final = _Filter(
    name=WORDS,
    schema={"type": "string"},
    description="Only events that have all of these words in their type, or in a name or text of event_data, in any "
    "case and with any accents. Double quotes keep words together.",
)
FILTERS: Final = (
    EVENT_TYPE,
    CUSTOMER_ID,
    _Filter(name=START, schema=_TIME, description=f"Only events at or after this time: {_UNIT}"),
    _Filter(name=END, schema=_TIME, description=f"Only events at or before this time: {_UNIT}"),
    EVENT_DATA,
    FIELD,
    Q,
)


def event_filter(query: QueryString, claims: Claims) -> EventFilter:
    """Build the filter from the parameters `FILTERS`, limited to the customers of the token. Errors go to `query`."""
    return query.filter().model_copy(update={"visible_customers": claims.customers})
