"""Grammar of filters: reads an `EventFilter` from pairs of a name and a value, as a query string has them.

`FIELD=VALUE` asks for equality, and `FIELD[OPERATOR]=VALUE` for one of `OPERATORS`. All pairs must hold; of the values
of a name that occurs several times, any one. Needs no HTTP: a filter can also be stored or typed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from core.domain import filter_values
from core.domain.matching import typed, words_of
from core.domain.queries import Condition, DataFilter, EventFilter, FieldName, Operator, Step
from core.errors import FieldError, InvalidFieldsError

OPERATORS: Final[tuple[Operator, ...]] = ("not", "gt", "gte", "lt", "lte", "prefix", "exists")
OPERATORS_OF: Final[Mapping[FieldName, tuple[Operator, ...]]] = {
    "event_type": OPERATORS[:-1],
    "customer_id": OPERATORS[:-2],
    "recorded_by": OPERATORS[:-1],
    "timestamp_utc": OPERATORS[:-2],
    "received_at": OPERATORS[:-2],
    "event_data": OPERATORS,
}
"""Operators of each field, in addition to equality: only data can be missing, and numbers have no prefix."""
START: Final = "timestamp_start_utc"
END: Final = "timestamp_end_utc"
WORDS: Final = "q"
DATA_PREFIX: Final = "event_data."
MAX_WORDS: Final = 10
MAX_WORD_LENGTH: Final = 100

_ALIASES: Final[Mapping[str, tuple[FieldName, Operator]]] = {
    START: ("timestamp_utc", "gte"),
    END: ("timestamp_utc", "lte"),
}
_TIMES: Final[Mapping[FieldName, Callable[..., Any]]] = {
    "timestamp_utc": filter_values.seconds,
    "received_at": filter_values.moment,
}
_DATA_VALUES: Final[Mapping[Operator, Callable[[str], Any]]] = {
    "eq": filter_values.data_value,
    "not": filter_values.data_value,
    "prefix": filter_values.text_value,
    "exists": filter_values.boolean,
}
_ONCE: Final = (START, END, WORDS)
_SEVERAL: Final = "occurs {} times: send it once"
_MAX_DATA_PAIRS: Final = 100
# The brackets of an index hold digits or *. A quoted name may end with brackets, but then a quote follows them.
_OPERATOR: Final = re.compile(r'\[(?!(?:[0-9]+|\*)\]\Z)([^\[\]"]*)\]\Z')


class Name(NamedTuple):
    """Name of a pair: a field, an operator, and for `event_data` a path."""

    field: FieldName
    operator: Operator
    path: tuple[Step, ...] = ()


def is_filter(name: str) -> bool:
    """Return whether a name belongs to this grammar. `parse_name` may still refuse it."""
    field = name.partition("[")[0]
    return name.startswith(DATA_PREFIX) or name in _ONCE or (field in OPERATORS_OF and field != "event_data")


def parse_name(text: str) -> Name:
    """Parse the name of a pair, except `WORDS`. Raises ValueError with the remedy."""
    if text in _ALIASES:
        return Name(*_ALIASES[text])
    name, operator = _split(text)
    if name.startswith(DATA_PREFIX):
        path = filter_values.data_path(name.removeprefix(DATA_PREFIX))
        return Name("event_data", operator, path)
    field = next((field for field in OPERATORS_OF if field == name), None)
    if field is None:
        raise ValueError(f"must be one field, with at most one operator at its end: {_choices(OPERATORS)}")
    if operator not in ("eq", *OPERATORS_OF[field]):
        raise ValueError(f"has no operator [{operator}]: use {_choices(OPERATORS_OF[field])}")
    return Name(field, operator)


def parse(pairs: Iterable[tuple[str, str]]) -> EventFilter:
    """Parse the pairs of a filter.

    Raises:
        InvalidFieldsError: names every pair that is invalid, and the remedy.
    """
    texts: dict[str, list[str]] = {}
    for name, value in pairs:
        texts.setdefault(name, []).append(value)
    errors: dict[str, str] = {name: _SEVERAL.format(len(texts[name])) for name in _ONCE if len(texts.get(name, ())) > 1}
    count = sum(len(values) for name, values in texts.items() if name.startswith(DATA_PREFIX))
    if count > _MAX_DATA_PAIRS:  # databases limit how large a condition may be
        errors["event_data"] = f"occurs {count} times: at most {_MAX_DATA_PAIRS} are accepted"
    conditions: dict[str, _Parsed] = {}
    words: tuple[str, ...] = ()
    for name, values in texts.items():
        if name in errors:
            continue
        try:
            if name == WORDS:
                words = _words(values[0])
            else:
                conditions[name] = _parsed(parse_name(name), values)
        except ValueError as exc:
            errors[name] = str(exc)
    start, end = _range(conditions)
    if start and end and start.second > end.second:
        errors[start.name] = f"must not be after {end.name}"
    if errors:
        listed = [_error(name, message) for name, message in errors.items()]
        raise InvalidFieldsError("The filter is invalid: see errors.", listed)
    return EventFilter(
        event_types=_equal_to(conditions, "event_type"),
        customer_ids=_equal_to(conditions, "customer_id"),
        start=start.second if start else None,
        end=end.second if end else None,
        data=tuple(DataFilter(path=name.path, values=values) for name, values in conditions.values() if _is_data(name)),
        conditions=tuple(
            Condition(field=name.field, operator=name.operator, path=name.path, values=values)
            for name, values in conditions.values()
            if _is_left(name, values)
        ),
        words=words,
    )


class _Parsed(NamedTuple):
    name: Name
    values: tuple[Any, ...]


class _Bound(NamedTuple):
    second: int
    name: str


def _split(text: str) -> tuple[str, Operator]:
    """Split the operator off the end of a name. Raises ValueError."""
    found = _OPERATOR.search(text)
    if found is None:
        return text, "eq"
    operator = next((operator for operator in OPERATORS if operator == found[1]), None)
    if operator is None:
        raise ValueError(f"has brackets at its end that hold no operator: use {_choices(OPERATORS)}, or none for equal")
    return text[: found.start()], operator


def _choices(operators: Sequence[Operator]) -> str:
    names = [f"[{operator}]" for operator in operators]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _parsed(name: Name, texts: Sequence[str]) -> _Parsed:
    values = {typed(value): value for value in map(_value_parser(name), texts)}  # each once, but 1 is not true
    return _Parsed(name, tuple(values.values()))


def _value_parser(name: Name) -> Callable[[str], Any]:
    """Return the parser of the values of a pair. It raises ValueError."""
    if name.field == "event_data":
        return _DATA_VALUES.get(name.operator, filter_values.ordered_value)
    if name.field in _TIMES:
        return partial(_TIMES[name.field], operator=name.operator)
    if name.field == "customer_id":
        return filter_values.integer
    return filter_values.event_type if name == ("event_type", "eq", ()) else filter_values.utf8_text


def _words(text: str) -> tuple[str, ...]:
    words = words_of(filter_values.utf8_text(text))
    if not words:
        raise ValueError("must have a word")
    if len(words) > MAX_WORDS or max(map(len, words)) > MAX_WORD_LENGTH:
        raise ValueError(f"must have at most {MAX_WORDS} words of {MAX_WORD_LENGTH} characters")
    return words


def _range(conditions: Mapping[str, _Parsed]) -> tuple[_Bound | None, _Bound | None]:
    """Return the first and last second that all conditions on `timestamp_utc` leave, and the names they are from."""
    starts: list[_Bound] = []
    ends: list[_Bound] = []
    for text, (name, values) in conditions.items():
        if name.field != "timestamp_utc":
            continue
        low, high = min(values), max(values)  # any of several values: the one that leaves most
        match name.operator:
            case "eq":
                starts.append(_Bound(low, text))
                ends.append(_Bound(high, text))
            case "gt" | "gte":
                starts.append(_Bound(low + (name.operator == "gt"), text))
            case "lt" | "lte":
                ends.append(_Bound(high - (name.operator == "lt"), text))
    return max(starts, default=None), min(ends, default=None)


def _equal_to(conditions: Mapping[str, _Parsed], name: str) -> tuple[Any, ...]:
    return conditions[name].values if name in conditions else ()


def _is_data(name: Name) -> bool:
    return name.field == "event_data" and name.operator == "eq"


def _is_left(name: Name, values: Sequence[Any]) -> bool:
    """Return whether no other part of an `EventFilter` has the condition."""
    match name.field:
        case "event_type" | "customer_id" | "event_data":
            return name.operator != "eq"
        case "timestamp_utc":
            return name.operator == "not" or (name.operator == "eq" and len(values) > 1)
    return True


def _error(name: str, message: str) -> FieldError:
    return {"loc": [name.encode(errors="replace").decode()], "msg": message}  # JSON cannot carry other names
