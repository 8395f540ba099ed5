"""Events and filters that hypothesis makes, from few names and values, so that filters often find something."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from core.domain.filter_text import OPERATORS_OF
from core.domain.models import Event
from core.domain.queries import Condition, DataFilter, EventFilter, FieldName, Operator
from tests.support.builders import RECEIVED_AT, event

TYPES = ("user.login", "user.logout", "Ärger", "a")
CUSTOMERS = (-1, 0, 1, 2**63 - 1)
NAMES = ("a", "b", "A", "*", "0", "é")
EDGES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 5, 5.0, 0.1, -0.0, 1e300, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1.2345678901234568e18,
    "", "a", "A", "ab", "a ", "ä", "a\u0308", "5", "true", "null", "*", "doc-1", "doc-2", "𝄞",
)  # fmt: skip

texts = st.text(st.sampled_from('aAzZßéÉ中Ωω😀 ."\u0308'), max_size=6)
scalars = st.sampled_from(EDGES) | st.integers(-3, 3) | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
paths = st.lists(st.sampled_from((*NAMES[:4], 0, 1, None)), min_size=1, max_size=3).filter(
    lambda steps: isinstance(steps[0], str)
)
_data = st.dictionaries(st.sampled_from(NAMES), json_values, min_size=1, max_size=3)


def _stored(number: int, fields: dict[str, Any]) -> Event:
    received = RECEIVED_AT + timedelta(milliseconds=fields.pop("milliseconds"))
    return event(number, received_at=received, **fields)


_fields = {
    "event_type": st.sampled_from(TYPES),
    "customer_id": st.sampled_from(CUSTOMERS),
    "timestamp_utc": st.integers(0, 5),
    "event_data": _data,
    "milliseconds": st.integers(0, 5),
    "recorded_by": st.sampled_from(("tests", "client-1")),
}
stored_events = st.builds(_stored, st.integers(0, 10**9), st.fixed_dictionaries(_fields))
batches = st.lists(st.fixed_dictionaries(_fields), max_size=12).map(
    lambda items: [_stored(number, dict(fields)) for number, fields in enumerate(items)]
)


def _values(operator: Operator) -> st.SearchStrategy[Any]:
    match operator:
        case "prefix":
            return texts
        case "exists":
            return st.booleans()
        case "gt" | "gte" | "lt" | "lte":
            return scalars.filter(lambda value: value is not None and not isinstance(value, bool))
    return scalars


def _condition(field: FieldName, operator: Operator, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    return st.builds(
        Condition,
        field=st.just(field),
        operator=st.just(operator),
        values=st.lists(values, min_size=1, max_size=2).map(tuple),
        path=paths.map(tuple) if field == "event_data" else st.just(()),
    )


_moments = st.integers(0, 6).map(lambda milliseconds: RECEIVED_AT + timedelta(milliseconds=milliseconds))
recorders = st.sampled_from(("tests", "client", "none", "Client-1"))
conditions = st.one_of(
    *(_condition("event_data", operator, _values(operator)) for operator in OPERATORS_OF["event_data"]),
    *(_condition("event_type", operator, st.sampled_from(TYPES)) for operator in OPERATORS_OF["event_type"]),
    *(_condition("customer_id", operator, st.sampled_from(CUSTOMERS)) for operator in OPERATORS_OF["customer_id"]),
    *(_condition("received_at", operator, _moments) for operator in ("eq", *OPERATORS_OF["received_at"])),
    *(_condition("recorded_by", operator, recorders) for operator in ("eq", *OPERATORS_OF["recorded_by"])),
    *(_condition("timestamp_utc", operator, st.integers(0, 5)) for operator in ("eq", *OPERATORS_OF["timestamp_utc"])),
)
_rarely = st.integers(0, 3).map(lambda number: number == 0)


def _maybe(strategy: st.SearchStrategy[Any], otherwise: Any) -> st.SearchStrategy[Any]:
    return _rarely.flatmap(lambda wanted: strategy if wanted else st.just(otherwise))


data_filters = st.builds(DataFilter, path=paths.map(tuple), values=st.lists(scalars, min_size=1, max_size=2).map(tuple))
filters = st.builds(
    EventFilter,
    event_types=_maybe(st.lists(st.sampled_from(TYPES), max_size=2).map(tuple), ()),
    customer_ids=_maybe(st.lists(st.sampled_from(CUSTOMERS), max_size=3).map(tuple), ()),
    start=_maybe(st.integers(0, 5), None),
    end=_maybe(st.integers(0, 5), None),
    data=st.lists(data_filters, max_size=2).map(tuple),
    conditions=st.lists(conditions, max_size=2).map(tuple),
    words=_maybe(st.lists(st.sampled_from(("a", "user", "arger", "doc-1")), max_size=2).map(tuple), ()),
    received_until=_maybe(_moments, None),
    visible_customers=_maybe(st.lists(st.sampled_from(CUSTOMERS), max_size=3).map(tuple), None),
)
