"""Meaning of a filter: which events it selects. Databases answer parts of a filter, and must agree with this module."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import ge, gt, le, lt
from types import NoneType
from typing import Any, Final

from core.domain.models import Event
from core.domain.queries import Condition, EventFilter, Operator, Step

_KINDS: Final[Mapping[type, str]] = {
    bool: "boolean", int: "number", float: "number", str: "text", NoneType: "null", datetime: "time",
}  # fmt: skip
"""Values are equal, or in an order, only if they are of one kind: 5 equals 5.0, but 1 does not equal true."""
_COMPARISONS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_ORDERED: Final = {"number", "text", "time"}
_WORD: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_SEPARATOR: Final = "\x00"  # no text of an event and no word contains it


def matches(event: Event, wanted: EventFilter) -> bool:
    """Return whether an event fulfils all conditions of a filter."""
    return (
        (not wanted.event_types or event.event_type in wanted.event_types)
        and (not wanted.customer_ids or event.customer_id in wanted.customer_ids)
        and (wanted.visible_customers is None or event.customer_id in wanted.visible_customers)
        and (wanted.start is None or event.timestamp_utc >= wanted.start)
        and (wanted.end is None or event.timestamp_utc <= wanted.end)
        and (wanted.received_until is None or event.received_at <= wanted.received_until)
        and all(_equals_one(values_at(event.event_data, each.path), each.values) for each in wanted.data)
        and all(_holds(event, condition) for condition in wanted.conditions)
        and (not wanted.words or _contains(event, wanted.words))
    )


def values_at(value: Any, path: Sequence[Step]) -> Iterator[Any]:
    """Yield the values to which a path leads: several only if it has a step to any element, none if it is missing."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if isinstance(step, str):
        if isinstance(value, dict) and step in value:
            yield from values_at(value[step], rest)
    elif isinstance(value, list):
        if step is None:
            for item in value:
                yield from values_at(item, rest)
        elif step < len(value):
            yield from values_at(value[step], rest)


def is_scalar(value: Any) -> bool:
    """Return whether a JSON value is neither an array nor an object."""
    return type(value) in _KINDS


def typed(value: Any) -> tuple[str | None, Any]:
    """Return a key that equal scalars have in common, and only these: 1 and 1.0, but not 1 and true."""
    return _KINDS.get(type(value)), value


def fold(text: str) -> str:
    """Return a text without case and accents (Unicode NFKD without combining characters, then case folding)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


def words_of(text: str) -> tuple[str, ...]:
    """Return the folded words of a search text, each once. Double quotes keep words together."""
    found = (fold(quoted or plain) for quoted, plain in _WORD.findall(text))
    return tuple(dict.fromkeys(word for word in found if word))


def _holds(event: Event, condition: Condition) -> bool:
    found: Iterator[Any]
    if condition.field == "event_data":
        found = values_at(event.event_data, condition.path)
    else:
        found = iter((getattr(event, condition.field),))
    wanted: tuple[Any, ...] = condition.values
    match condition.operator:
        case "eq":
            return _equals_one(found, wanted)
        case "not":
            return not _equals_one(found, wanted)
        case "exists":
            return any(True for _ in found) in wanted
        case "prefix":
            return any(isinstance(value, str) and value.startswith(wanted) for value in found)
    compare = _COMPARISONS[condition.operator]
    bounds = [(_KINDS[type(bound)], bound) for bound in wanted]
    return any(
        kind == kind_of_bound and kind in _ORDERED and compare(value, bound)
        for kind, value in map(typed, found)
        for kind_of_bound, bound in bounds
    )


def _equals_one(found: Iterator[Any], wanted: Sequence[Any]) -> bool:
    keys = set(map(typed, wanted))
    return any(is_scalar(value) and typed(value) in keys for value in found)


def _contains(event: Event, words: Sequence[str]) -> bool:
    text = fold(_SEPARATOR.join([event.event_type, *_texts(event.event_data)]))
    return all(word in text for word in words)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts inside a JSON value, and the names of all members."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
