"""Errors of pydantic as field errors, in the words of this service and without the values that were given."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from core.errors import FieldError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PREFIX: Final = "Value error, "
"""What pydantic puts before the message of a validator."""

_NO_MESSAGES: Final[Mapping[str, str]] = MappingProxyType({})

_MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "is required",
        "extra_forbidden": "is not a field: leave it out",
        "string_type": "must be a string",
        "string_too_long": "must have at most {max_length} characters",
        "int_type": "must be a JSON integer, such as 42: no quotes, no fraction, no exponent",
        "int_parsing": "must be an integer, such as 42",
        "bool_type": "must be true or false",
        "bool_parsing": "must be true or false",
        "dict_type": "must be a JSON object",
        "model_type": "must be a JSON object",
        "tuple_type": "must be a JSON array",
        "list_type": "must be a JSON array",
        "too_long": "must have at most {max_length} items",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
        "literal_error": "must be {expected}",
    }
)
"""By pydantic's error type. Pydantic's words are those of Python: a user sends an array, and no tuple."""
_SHORT: Final[Mapping[str, str]] = MappingProxyType({"string_too_short": "characters", "too_short": "items"})


def found_errors(error: ValidationError) -> "list[ErrorDetails]":
    """Return all errors of a validation, without input values.

    An array that is too short only because its items are invalid has the errors of these.
    """
    found = error.errors(include_url=False, include_input=False)
    return [each for each in found if each["type"] != "too_short" or not _has_error_below(each, found)]


def message_of(error: "ErrorDetails", messages: Mapping[str, str] = _NO_MESSAGES) -> str:
    """Return the message for the type of the error: that in `messages`, or else one of this service or of the model."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in messages:
        return messages[kind]
    if kind in _SHORT:
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least} {_SHORT[kind]}"
    if kind in _MESSAGES:
        return _MESSAGES[kind].format(**context)
    return error["msg"].removeprefix(_PREFIX)


def field_errors(
    error: ValidationError, messages: Mapping[str, str] = _NO_MESSAGES, *, below: Sequence[str] = ()
) -> list[FieldError]:
    """Return all errors of a validation; `below` is the place of the validated value."""
    return [FieldError(loc=[*below, *each["loc"]], msg=message_of(each, messages)) for each in found_errors(error)]


def _has_error_below(error: "ErrorDetails", found: "Sequence[ErrorDetails]") -> bool:
    place = error["loc"]
    return any(len(each["loc"]) > len(place) and each["loc"][: len(place)] == place for each in found)
