"""Query strings: what may be asked, and a clear no to all else, since a filter that is ignored shows too much."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.domain import strict_json
from core.domain.models import EventType, Timestamp
from core.domain.queries import DataFilter, JsonScalar
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.errors import FieldError, InvalidFieldsError, MalformedJSONError

DATA_PREFIX: Final = "event_data."

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STEP: Final = re.compile(r"(?P<name>[^.\[\]]+)(?P<indexes>(\[[0-9]{1,9}\])*)")
_INDEX: Final = re.compile(r"[0-9]+")
_UNNAMEABLE: Final = re.compile(r'["\\\x00-\x1f\x7f]')
_MAX_MISSPELT: Final = 64  # characters: comparing takes quadratic time, and no parameter has half as many
_MAX_STEPS: Final = 31  # as deep as the JSON functions of MariaDB look
_MAX_DATA_FILTERS: Final = 100
_EVENT_TYPE: Final = TypeAdapter[str](EventType)
_TIMESTAMP: Final = TypeAdapter[int](Timestamp)

T = TypeVar("T")


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """A query parameter: how it is read, and how /openapi.json describes it."""

    name: str
    read: Callable[[str], T]
    """Raises ValueError with what to send instead."""
    schema: Mapping[str, object]
    description: str
    repeatable: bool = False
    is_prefix: bool = False
    """Whether it stands for every parameter whose name begins with `name` and a dot."""


class QueryString:
    """The parameters of one request, read one by one; all that is wrong is told at once by `refuse_if_wrong`."""

    def __init__(self, pairs: Sequence[tuple[str, str]], known: Sequence[Parameter[Any]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self._errors: list[FieldError] = []
        names = [f"{parameter.name}.PATH" if parameter.is_prefix else parameter.name for parameter in known]
        prefixes = tuple(f"{parameter.name}." for parameter in known if parameter.is_prefix)
        for name in self._values:
            if name not in names and not name.startswith(prefixes):
                self.refuse(name, f"is not a parameter{_suggestion(name, names)}")

    def one(self, parameter: Parameter[T]) -> T | None:
        """The value of a parameter that may come once, or None."""
        values = self._values.get(parameter.name, [])
        if len(values) > 1:
            self.refuse(parameter.name, f"came {len(values)} times: send it once")
            return None
        return self._read(parameter.name, values[0], parameter.read) if values else None

    def many(self, parameter: Parameter[T]) -> tuple[T, ...]:
        """The values of a parameter that may come again and again, in order, each once."""
        values = (self._read(parameter.name, value, parameter.read) for value in self._values.get(parameter.name, ()))
        return tuple(dict.fromkeys(value for value in values if value is not None))

    def data_filters(self) -> tuple[DataFilter, ...]:
        """All `event_data.<path>=<value>` parameters; a path that comes again matches any of its values."""
        given = [(name, texts) for name, texts in self._values.items() if name.startswith(DATA_PREFIX)]
        count = sum(len(texts) for _, texts in given)
        if count > _MAX_DATA_FILTERS:  # databases limit how large a condition may be
            self.refuse(EVENT_DATA.name, f"came {count} times: at most {_MAX_DATA_FILTERS} are taken")
            return ()
        filters: list[DataFilter] = []
        for name, texts in given:
            path = self._read(name, name.removeprefix(DATA_PREFIX), data_path)
            # null is a value here, so each is read inside a tuple, and None is left to mean that it was refused.
            values = [self._read(name, text, lambda text: (data_value(text),)) for text in texts]
            if path and all(values):
                filters.append(DataFilter(path=path, values=tuple(value[0] for value in values if value)))
        return tuple(filters)

    def refuse(self, name: str, message: str) -> None:
        """Note that a parameter is wrong."""
        # A name that is no UTF-8 cannot be told back as it is: no JSON could carry it.
        self._errors.append({"loc": [name.encode(errors="replace").decode()], "msg": message})

    def refuse_if_wrong(self) -> None:
        """Raise InvalidFieldsError with everything that was noted, if anything was."""
        if self._errors:
            raise InvalidFieldsError("The query string is not valid: see errors.", self._errors)

    def _read(self, name: str, value: str, read: Callable[[str], T]) -> T | None:
        try:
            return read(value)
        except ValueError as exc:
            self.refuse(name, str(exc))
            return None


def integer(text: str, low: int = MIN_INTEGER, high: int = MAX_INTEGER) -> int:
    """A decimal integer from `low` to `high`. Raises ValueError with what to send instead."""
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(f"must be an integer from {low} to {high}")
    return int(text)


def timestamp(text: str) -> int:
    """A time in Unix seconds. Raises ValueError, with a hint where it looks like milliseconds."""
    return _checked(_TIMESTAMP, integer(text))


def event_type(text: str) -> str:
    """What an event's type could be. Raises ValueError."""
    return _checked(_EVENT_TYPE, text)


def storable(text: str) -> str:
    """Text that UTF-8 can carry. Raises ValueError."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8, percent-encoded") from None
    return text


def data_path(text: str) -> tuple[str | int, ...]:
    """A path into event_data: `admin_data.username`, `items[0].name`. Raises ValueError."""
    steps: list[str | int] = []
    for part in storable(text).split("."):
        step = _STEP.fullmatch(part)
        if step is None:
            raise ValueError("must name a member, such as event_data.admin_data.username or event_data.items[0].name")
        steps.append(step["name"])
        steps.extend(int(index) for index in _INDEX.findall(step["indexes"]))
    if len(steps) > _MAX_STEPS:
        raise ValueError(f"must have at most {_MAX_STEPS} steps")
    if _UNNAMEABLE.search(text):
        raise ValueError(
            "must not contain quotes, backslashes or control characters: databases cannot name such members"
        )
    return tuple(steps)


def data_value(text: str) -> JsonScalar:
    """A value to compare with: true, false, null and numbers are JSON; quotes force a string. Raises ValueError."""
    is_json = text in {"true", "false", "null"} or _NUMBER.fullmatch(text) or text.startswith('"')
    if not is_json:
        if "\x00" in text:
            raise ValueError("must not contain NUL")
        return storable(text)
    try:
        value: JsonScalar = strict_json.loads(storable(text).encode())
    except MalformedJSONError as exc:
        raise ValueError(f"is not one JSON value: {exc} Quotes around it make it a string.") from None
    return value


def _suggestion(name: str, known: Sequence[str]) -> str:
    """The known name that an unknown one was meant for, as the end of a message; empty if none is near."""
    if len(name) > _MAX_MISSPELT:
        return ""
    import difflib  # noqa: PLC0415 - only for a name that is wrong

    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _checked(rule: TypeAdapter[T], value: object) -> T:
    """`value` under the rule that a posted event is checked by. Raises ValueError with that rule's words."""
    try:
        return rule.validate_python(value)
    except ValidationError as exc:
        raise ValueError(exc.errors()[0]["msg"].removeprefix("Value error, ")) from None


EVENT_DATA: Final = Parameter(
    name=DATA_PREFIX.removesuffix("."),
    read=data_path,
    schema={
        "type": "object",
        "patternProperties": {r"^event_data\.[^.\[\]\"\\]+$": {"type": "string"}},
        "additionalProperties": False,
    },
    description="Equality at a path, one parameter per path: event_data.admin_data.username=admin. true, false, null "
    "and numbers match their JSON values, quotes force a string.",
    is_prefix=True,
)
"""Stands for every parameter that begins with `DATA_PREFIX`."""
