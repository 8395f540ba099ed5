"""Events of fields that are known to be valid, such as those of a stored row."""

from typing import Any, Final

from core.domain.models import Event

_NAMES: Final = tuple(Event.model_fields)


def build_event(fields: dict[str, Any]) -> Event:
    """Make an event of all its fields, and keep the dict. `Event.model_construct` does it in six times the time."""
    event = Event.__new__(Event)
    for name, value in (
        ("__dict__", fields),
        ("__pydantic_fields_set__", set(_NAMES)),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(event, name, value)  # the model is frozen
    return event
