"""Values in the text of a filter: integers, times, paths into event_data and JSON scalars."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.domain import strict_json
from core.domain.field_errors import found_errors, message_of
from core.domain.models import MAX_TIMESTAMP, EventType, Timestamp
from core.domain.queries import JsonScalar, Operator, Step
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.errors import MalformedJSONError

SECOND: Final = 1_000_000_000
"""Nanoseconds of the precision of `timestamp_utc`."""
MILLISECOND: Final = 1_000_000
"""Nanoseconds of the precision of `received_at`."""
TIME_RULE: Final = (
    f"must be Unix seconds, an integer from 0 to {MAX_TIMESTAMP}, such as 1767225600, "
    "or RFC 3339 with a time zone, such as 2026-01-31T12:00:00Z"
)

_INTEGER: Final = re.compile(r"-?[0-9]+")
_MAX_DIGITS: Final = 20  # enough to recognise an integer that is out of range
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_RFC_3339: Final = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?"
    r"(?P<zone>[Zz]|[+ -][0-9]{2}:[0-9]{2})"
)
_STEP: Final = re.compile(
    r'(?:"(?P<quoted>[^"]*+)"|(?P<plain>[^.\[\]"]++))(?P<indexes>(?:\[(?:[0-9]{1,9}|\*)\])*)(?P<more>\.|\Z)'
)
_INDEX: Final = re.compile(r"[0-9]+|\*")
_NOT_IN_NAMES: Final = r'"\\\u0000-\u001f\u007f'
STEP_PATTERN: Final = rf'("[^{_NOT_IN_NAMES}]*"|[^.\[\]{_NOT_IN_NAMES}]+)(\[([0-9]{{1,9}}|\*)\])*'
"""A name, perhaps in quotes, and its indexes, as a regular expression of JSON Schema (ECMA-262)."""
_UNNAMEABLE: Final = re.compile(r"[\\\x00-\x1f\x7f]")
_MAX_STEPS: Final = 31  # the depth that the JSON functions of MariaDB support
_EVENT_TYPE: Final = TypeAdapter[str](EventType)
_TIMESTAMP: Final = TypeAdapter[int](Timestamp)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


def integer(text: str, low: int = MIN_INTEGER, high: int = MAX_INTEGER) -> int:
    """Parse a decimal integer from `low` to `high`. Raises ValueError with the remedy."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be an integer, such as 42")
    value = int(text[:_MAX_DIGITS])
    if value < low:
        raise ValueError(f"must be at least {low}")
    if value > high or len(text) > _MAX_DIGITS:
        raise ValueError(f"must be at most {high}")
    return value


def seconds(text: str, operator: Operator) -> int:
    """Parse a time to compare with `timestamp_utc`: Unix seconds. Raises ValueError with the remedy."""
    return _in_units(text, operator, SECOND)


def moment(text: str, operator: Operator) -> datetime:
    """Parse a time to compare with `received_at`, which has whole milliseconds. Raises ValueError with the remedy."""
    milliseconds = _in_units(text, operator, MILLISECOND)
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # rounded up to the year 10000
        raise ValueError(TIME_RULE) from None


def nanoseconds(text: str) -> int:
    """Parse Unix seconds or a time of RFC 3339 (section 5.6) into nanoseconds since 1970, exactly.

    Raises ValueError with the remedy, also for a local time and for Unix milliseconds.
    """
    if _INTEGER.fullmatch(text):
        return _checked(_TIMESTAMP, integer(text)) * SECOND
    parts = _RFC_3339.fullmatch(text)
    if parts is None:
        raise ValueError(TIME_RULE)
    if parts["zone"].startswith(" "):  # a query string has a space where the client left a + as it is
        raise ValueError("has a space before the time zone: send %2B for +")
    try:
        whole = datetime.fromisoformat(parts["local"].upper() + parts["zone"].upper())
    except ValueError:  # a 13th month, or a leap second, which Unix seconds do not have
        raise ValueError(TIME_RULE) from None
    second = _checked(_TIMESTAMP, (whole - _EPOCH) // timedelta(seconds=1))
    return second * SECOND + int((parts["fraction"] or "").ljust(9, "0"))


def _in_units(text: str, operator: Operator, unit: int) -> int:
    """Convert to whole units such that a comparison of whole units has the same result."""
    whole, rest = divmod(nanoseconds(text), unit)
    if rest and operator in {"eq", "not"}:
        precision = "seconds" if unit == SECOND else "milliseconds"
        raise ValueError(f"has a fraction that no event has: events have whole {precision}")
    return whole + 1 if rest and operator in {"gte", "lt"} else whole


def event_type(text: str) -> str:
    """Check the type of an event. Raises ValueError with the remedy."""
    return _checked(_EVENT_TYPE, text)


def utf8_text(text: str) -> str:
    """Check that a text can be encoded in UTF-8 and has no NUL. Raises ValueError with the remedy."""
    if "\x00" in text:
        raise ValueError("must not contain NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8, percent-encoded") from None
    return text


def data_path(text: str) -> tuple[Step, ...]:
    """Parse a path into event_data: `admin_data.username`, `items[0].name`, `targets[*].id`, `"a.b".c`.

    A name in double quotes may contain dots and brackets, or be empty. Raises ValueError with the remedy.
    """
    if _UNNAMEABLE.search(text):
        raise ValueError("must not contain backslashes or control characters: databases cannot name such members")
    utf8_text(text)
    steps: list[Step] = []
    position, more = 0, "."
    while more:
        step = _STEP.match(text, position)
        if step is None:
            raise ValueError(
                "must name a member, such as event_data.admin_data.username, event_data.items[0].name or "
                "event_data.targets[*].id; one operator may follow at the end, such as event_data.size[gte]; "
                'a name with a dot or bracket goes in double quotes: event_data."a.b"'
            )
        steps.append(step["plain"] or step["quoted"])
        steps.extend(None if index == "*" else int(index) for index in _INDEX.findall(step["indexes"]))
        position, more = step.end(), step["more"]
    if len(steps) > _MAX_STEPS:
        raise ValueError(f"must have at most {_MAX_STEPS} steps")
    return tuple(steps)


def data_value(text: str) -> JsonScalar:
    """Parse a value of event_data. true, false, null and numbers are JSON; quotes force a string. Raises ValueError."""
    is_json = text in {"true", "false", "null"} or _NUMBER.fullmatch(text) or text.startswith('"')
    if not is_json:
        return utf8_text(text)
    try:
        value: JsonScalar = strict_json.loads(utf8_text(text).encode())
    except MalformedJSONError as exc:
        raise ValueError(f"is not one JSON value: {exc} Put it in quotes to compare with a string.") from None
    return value


def ordered_value(text: str) -> JsonScalar:
    """Parse a value of event_data that has an order: a number or a text. Raises ValueError with the remedy."""
    value = data_value(text)
    if value is None or isinstance(value, bool):
        raise ValueError('has no order: compare with a number or a text; quotes force a text, such as "true"')
    return value


def text_value(text: str) -> str:
    """Parse a text of event_data, in which quotes are optional. Raises ValueError with the remedy."""
    return str(data_value(text)) if text.startswith('"') else utf8_text(text)


def boolean(text: str) -> bool:
    """Parse `true` or `false`. Raises ValueError with the remedy."""
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _checked(rule: TypeAdapter[T], value: object) -> T:
    """Validate `value` by the rule of a posted event. Raises ValueError with the message of that rule."""
    try:
        return rule.validate_python(value)
    except ValidationError as exc:
        raise ValueError(message_of(found_errors(exc)[0])) from None
