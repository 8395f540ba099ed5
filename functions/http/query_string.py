"""Query parameters: declared, parsed and validated. Unknown ones are errors: an ignored filter shows too much."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.domain import strict_json
from core.domain.models import TIMESTAMP_RULE, EventType, Timestamp
from core.domain.queries import DataFilter, JsonScalar
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.errors import FieldError, InvalidFieldsError, MalformedJSONError

DATA_PREFIX: Final = "event_data."

_INTEGER: Final = re.compile(r"-?[0-9]+")
_MAX_DIGITS: Final = 20  # enough to recognise an integer that is out of range
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STEP: Final = re.compile(
    r'(?:"(?P<quoted>[^"]*+)"|(?P<plain>[^.\[\]"]++))(?P<indexes>(?:\[[0-9]{1,9}\])*+)(?P<more>\.|\Z)'
)
_INDEX: Final = re.compile(r"[0-9]+")
_NOT_IN_NAMES: Final = r'"\\\u0000-\u001f\u007f'
_STEP_SCHEMA: Final = rf'("[^{_NOT_IN_NAMES}]*"|[^.\[\]{_NOT_IN_NAMES}]+)(\[[0-9]{{1,9}}\])*'
"""A name, perhaps in quotes, and its indexes, as a regular expression of JSON Schema (ECMA-262)."""
_UNNAMEABLE: Final = re.compile(r"[\\\x00-\x1f\x7f]")
_MAX_MISSPELT: Final = 64  # characters: comparison takes quadratic time, and no parameter has half as many
_MAX_STEPS: Final = 31  # the depth that the JSON functions of MariaDB support
_MAX_DATA_FILTERS: Final = 100
_EVENT_TYPE: Final = TypeAdapter[str](EventType)
_TIMESTAMP: Final = TypeAdapter[int](Timestamp)

T = TypeVar("T")


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """A query parameter: how it is parsed, and how /openapi.json describes it."""

    name: str
    parse: Callable[[str], T]
    """Raises ValueError; the message is the remedy."""
    schema: Mapping[str, object]
    description: str
    repeatable: bool = False
    is_prefix: bool = False
    """Whether it stands for every parameter whose name begins with `name` and a dot."""


class QueryString:
    """The query parameters of one request. Collects errors; `raise_errors` raises all of them at once."""

    def __init__(self, pairs: Sequence[tuple[str, str]], known: Sequence[Parameter[Any]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self._errors: list[FieldError] = []
        names = [f"{parameter.name}.PATH" if parameter.is_prefix else parameter.name for parameter in known]
        prefixes = tuple(f"{parameter.name}." for parameter in known if parameter.is_prefix)
        for name in self._values:
            if name not in names and not name.startswith(prefixes):
                self.add_error(name, f"is not a parameter{_suggestion(name, names)}")

    def one(self, parameter: Parameter[T]) -> T | None:
        """Return the value of a parameter that may occur once; None if it is absent or invalid."""
        values = self._values.get(parameter.name, [])
        if len(values) > 1:
            self.add_error(parameter.name, f"occurs {len(values)} times: send it once")
            return None
        return self._parse(parameter.name, values[0], parameter.parse) if values else None

    def many(self, parameter: Parameter[T]) -> tuple[T, ...]:
        """Return the distinct values of a repeatable parameter, in order."""
        values = (self._parse(parameter.name, value, parameter.parse) for value in self._values.get(parameter.name, ()))
        return tuple(dict.fromkeys(value for value in values if value is not None))

    def data_filters(self) -> tuple[DataFilter, ...]:
        """Return all `event_data.<path>=<value>` parameters. A repeated path matches any of its values."""
        parameters = [(name, texts) for name, texts in self._values.items() if name.startswith(DATA_PREFIX)]
        count = sum(len(texts) for _, texts in parameters)
        if count > _MAX_DATA_FILTERS:  # databases limit how large a condition may be
            self.add_error(EVENT_DATA.name, f"occurs {count} times: at most {_MAX_DATA_FILTERS} are accepted")
            return ()
        filters: list[DataFilter] = []
        for name, texts in parameters:
            path = self._parse(name, name.removeprefix(DATA_PREFIX), data_path)
            # null is a valid value, so each is wrapped in a tuple: None means that it was invalid.
            values = [self._parse(name, text, lambda text: (data_value(text),)) for text in texts]
            if path and all(values):
                filters.append(DataFilter(path=path, values=tuple(value[0] for value in values if value)))
        return tuple(filters)

    def add_error(self, name: str, message: str) -> None:
        """Record that a parameter is invalid."""
        # JSON cannot carry a name that is not UTF-8.
        self._errors.append({"loc": [name.encode(errors="replace").decode()], "msg": message})

    def raise_errors(self) -> None:
        """Raise InvalidFieldsError with all recorded errors, if there are any."""
        if self._errors:
            raise InvalidFieldsError("The query parameters are invalid: see errors.", self._errors)

    def _parse(self, name: str, value: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(value)
        except ValueError as exc:
            self.add_error(name, str(exc))
            return None


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


def timestamp(text: str) -> int:
    """Parse a time in Unix seconds. Raises ValueError with the remedy, also for a date and for milliseconds."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(TIMESTAMP_RULE)
    return _checked(_TIMESTAMP, integer(text))


def event_type(text: str) -> str:
    """Check the type of an event. Raises ValueError with the remedy."""
    return _checked(_EVENT_TYPE, text)


def utf8_text(text: str) -> str:
    """Check that a text can be encoded in UTF-8. Raises ValueError with the remedy."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8, percent-encoded") from None
    return text


def data_path(text: str) -> tuple[str | int, ...]:
    """Parse a path into event_data: `admin_data.username`, `items[0].name`, `"a.b".c`. Raises ValueError.

    A name in double quotes may contain dots and brackets, or be empty.
    """
    if _UNNAMEABLE.search(utf8_text(text)):
        raise ValueError("must not contain backslashes or control characters: databases cannot name such members")
    steps: list[str | int] = []
    position, more = 0, "."
    while more:
        step = _STEP.match(text, position)
        if step is None:
            raise ValueError(
                "must name a member, such as event_data.admin_data.username or event_data.items[0].name; "
                'a name with a dot or bracket goes in double quotes: event_data."a.b"'
            )
        steps.append(step["plain"] or step["quoted"])
        steps.extend(int(index) for index in _INDEX.findall(step["indexes"]))
        position, more = step.end(), step["more"]
    if len(steps) > _MAX_STEPS:
        raise ValueError(f"must have at most {_MAX_STEPS} steps")
    return tuple(steps)


def data_value(text: str) -> JsonScalar:
    """Parse a value of event_data. true, false, null and numbers are JSON; quotes force a string. Raises ValueError."""
    is_json = text in {"true", "false", "null"} or _NUMBER.fullmatch(text) or text.startswith('"')
    if not is_json:
        if "\x00" in text:
            raise ValueError("must not contain NUL")
        return utf8_text(text)
    try:
        value: JsonScalar = strict_json.loads(utf8_text(text).encode())
    except MalformedJSONError as exc:
        raise ValueError(f"is not one JSON value: {exc} Put it in quotes to compare with a string.") from None
    return value


def _suggestion(name: str, known: Sequence[str]) -> str:
    """Return `; did you mean NAME?` with the closest known name; empty if none is close."""
    if len(name) > _MAX_MISSPELT:
        return ""
    import difflib  # noqa: PLC0415 - only for an unknown name

    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def _checked(rule: TypeAdapter[T], value: object) -> T:
    """Validate `value` by the rule of a posted event. Raises ValueError with the message of that rule."""
    try:
        return rule.validate_python(value)
    except ValidationError as exc:
        raise ValueError(exc.errors()[0]["msg"].removeprefix("Value error, ")) from None


EVENT_DATA: Final = Parameter(
    name=DATA_PREFIX.removesuffix("."),
    parse=data_path,
    # Not patternProperties: generators of clients drop what only they allow.
    schema={
        "type": "object",
        "propertyNames": {"pattern": rf"^event_data\.{_STEP_SCHEMA}(\.{_STEP_SCHEMA})*$"},
        "additionalProperties": {"type": "string"},
    },
    description="Only events with this value at a path, one parameter per path: event_data.admin_data.username=admin. "
    "true, false, null and numbers match their JSON values; quotes force a string. "
    'A name with a dot or bracket goes in double quotes: event_data."a.b"=1.',
    is_prefix=True,
)
"""Declares all parameters whose name begins with `DATA_PREFIX`."""
