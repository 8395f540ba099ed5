"""A catalogue that is in force: its types, and the check of posted events."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from core.errors import FieldError, InvalidFieldsError

if TYPE_CHECKING:
    from core.domain.catalogue.entries import EventType
    from core.domain.catalogue.schemas import SchemaCheck

_MAX_COMPARED: Final = 100
"""Characters of a name that is compared with those of the catalogue, which takes time for each character."""

_NO_ERRORS: Final[Sequence[FieldError]] = ()


class KnownType(NamedTuple):
    """A type and its compiled schema; None in the mode `off`."""

    about: "EventType"
    schema: "SchemaCheck | None"


class Catalogue:
    """The types of one folder."""

    def __init__(self, types: Mapping[str, KnownType], digest: str, *, strict: bool) -> None:
        """`digest` is that of `reading.digest_of`. `strict` refuses events of types without a file."""
        self._types = types
        self._strict = strict
        self.digest: Final = digest
        self._nearest = lru_cache(1024)(self._find_nearest)  # a program repeats its mistake

    @property
    def types(self) -> "list[EventType]":
        """The types in the order of their names."""
        return [known.about for _, known in sorted(self._types.items())]

    @property
    def strict(self) -> bool:
        """Whether events of other types are refused."""
        return self._strict

    def check(self, event_type: str, event_data: Mapping[str, Any], *, in_full: bool) -> Sequence[FieldError]:
        """Return the warnings about an event; none if it conforms. Without `in_full` one error stands for all.

        Raises:
            InvalidFieldsError: the type is to be enforced and the event does not conform, or the type is unknown to a
                strict catalogue.
        """
        known = self._types.get(event_type)
        if known is None:
            if self._strict:
                raise self._unknown(event_type, in_full=in_full)
            return _NO_ERRORS
        if known.schema is None or known.schema.is_valid(event_data):
            return _NO_ERRORS
        errors = known.schema.errors(event_data, in_full=in_full)
        if known.about.mode == "enforce":
            raise InvalidFieldsError("The event does not conform to the schema of its type: see errors.", errors)
        return errors

    def _unknown(self, event_type: str, *, in_full: bool) -> InvalidFieldsError:
        near = self._nearest(event_type) if in_full and len(event_type) <= _MAX_COMPARED else None
        hint = f"did you mean {near}?" if near else "GET /catalogue lists the types that are accepted"
        errors: list[FieldError] = [{"loc": ["event_type"], "msg": f"is not in the catalogue: {hint}"}]
        return InvalidFieldsError("The event is invalid: see errors.", errors)

    def _find_nearest(self, event_type: str) -> str | None:
        import difflib  # noqa: PLC0415 - only for a mistake

        return next(iter(difflib.get_close_matches(event_type, self._types, n=1)), None)
