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


def found_errors(error: ValidationError) -> "list[ErrorDetails]":
    """Return all errors of a validation, without input values."""
    return error.errors(include_url=False, include_context=False, include_input=False)


def message_of(error: "ErrorDetails", messages: Mapping[str, str] = _NO_MESSAGES) -> str:
    """Return the message in `messages` for the type of the error, or else that of the model."""
    return messages.get(error["type"]) or error["msg"].removeprefix(_PREFIX)


def field_errors(
    error: ValidationError, messages: Mapping[str, str] = _NO_MESSAGES, *, below: Sequence[str] = ()
) -> list[FieldError]:
    """Return all errors of a validation; `below` is the place of the validated value."""
    return [FieldError(loc=[*below, *each["loc"]], msg=message_of(each, messages)) for each in found_errors(error)]
