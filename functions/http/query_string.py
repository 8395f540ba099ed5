"""Query parameters: declared, parsed and validated. Unknown ones are errors: an ignored filter shows too much."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from core.domain import filter_text
from core.domain.queries import EventFilter
from core.errors import FieldError, InvalidFieldsError

_MAX_MISSPELT: Final = 64  # characters: comparison takes quadratic time, and no parameter has half as many

T = TypeVar("T")


def _is_none(_name: str) -> bool:
    return False


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """A query parameter: how it is parsed, and how /openapi.json describes it."""

    name: str
    parse: Callable[[str], T]
    """Raises ValueError; the message is the remedy."""
    schema: Mapping[str, object]
    description: str
    repeatable: bool = False
    required: bool = False
    """Whether `QueryString` refuses requests without it."""
    members: tuple[str, ...] = ()
    """Not empty if it stands for several parameters, as an object for its members: names to suggest for them."""
    is_member: Callable[[str], bool] = _is_none
    """Whether a parameter of this name is a member."""


class QueryString:
    """The query parameters of one request. Collects errors; `raise_errors` raises all of them at once."""

    def __init__(self, pairs: Sequence[tuple[str, str]], known: Sequence[Parameter[Any]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)
        self._errors: list[FieldError] = []
        names = [name for parameter in known for name in parameter.members or (parameter.name,)]
        for name in self._values:
            if name not in names and not any(parameter.is_member(name) for parameter in known):
                self.add_error(name, f"is not a parameter{_suggestion(name, names)}")
        for parameter in known:
            if parameter.required and parameter.name not in self._values:
                self.add_error(parameter.name, "is required")

    def one(self, parameter: Parameter[T]) -> T | None:
        """Return the value of a parameter that may occur once; None if it is absent or invalid."""
        values = self._values.get(parameter.name, [])
        if len(values) > 1:
            self.add_error(parameter.name, f"occurs {len(values)} times: send it once")
            return None
        return self._parse(parameter.name, values[0], parameter.parse) if values else None

    def filter(self) -> EventFilter:
        """Return the filter of all parameters that belong to the grammar of filters; an empty one if it is invalid."""
        filters = [(name, values) for name, values in self._values.items() if filter_text.is_filter(name)]
        try:
            return filter_text.parse((name, value) for name, values in filters for value in values)
        except InvalidFieldsError as exc:
            self._errors += exc.errors
            return EventFilter()

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


def _suggestion(name: str, known: Sequence[str]) -> str:
    """Return `; did you mean NAME?` with the closest known name; empty if none is close."""
    if len(name) > _MAX_MISSPELT:
        return ""
    import difflib  # noqa: PLC0415 - only for an unknown name

    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""
