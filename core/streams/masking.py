"""Masks of a stream: values of event_data that are left out, or replaced by a keyed hash, before the event is sent."""

import hmac
from collections.abc import Callable, Sequence
from typing import Any, Final

from core.domain.canonical_json import canonical
from core.domain.models import Event
from core.domain.queries import Step

HASH_DIGITS: Final = 16

Path = Sequence[Step]
_LEFT_OUT: Final = object()


def masked(event: Event, dropped: Sequence[Path], hashed: Sequence[Path], key: bytes) -> Event:
    """Return the event with values left out at some paths, and hashed at others. The given event stays as it is.

    A member is left out with its name; an element of an array becomes null, so that the others keep their places.
    A hash is 16 hexadecimal digits of HMAC-SHA256 over the canonical JSON of the value, a scalar or not: equal values
    have equal hashes under one key, and values cannot be tried without the key.
    """
    data = event.event_data
    for path in dropped:
        data = _changed(data, path, lambda _value: _LEFT_OUT)
    for path in hashed:
        data = _changed(data, path, lambda value: keyed_hash(value, key))
    return event if data is event.event_data else event.model_copy(update={"event_data": data})


def keyed_hash(value: Any, key: bytes) -> str:
    """Return the hash that replaces a JSON value."""
    return hmac.digest(key, canonical([value]), "sha256").hex()[:HASH_DIGITS]


def _changed(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    """Apply `change` to the values that a path leads to, in copies of the objects and arrays on the way."""
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        if not isinstance(value, dict) or step not in value:
            return value
        changed = _changed(value[step], rest, change)
        if changed is value[step]:
            return value
        members = {name: changed if name == step else member for name, member in value.items()}
        if changed is _LEFT_OUT:
            del members[step]
        return members
    if not isinstance(value, list):
        return value
    elements = list(value)
    for index in range(len(value)) if step is None else range(step, min(step + 1, len(value))):
        changed = _changed(value[index], rest, change)
        elements[index] = None if changed is _LEFT_OUT else changed
    return elements
