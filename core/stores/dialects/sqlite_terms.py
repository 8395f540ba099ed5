"""Terms of SQLite's full-text index: an event's customer, its type, and each value in event_data with its path.

A term is a 64-bit hash, so that values of any length and alphabet can be indexed. Two terms of a database collide once
in many millions of databases. Any change of the terms requires a migration that builds a new index.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from core.domain.queries import EventFilter, JsonScalar

MAX_VALUE_TERMS: Final = 2_000
"""Terms of the values of one event. An event of a hundred thousand numbers would take the store seconds."""

_ROOT: Final = bytes(8)  # all places have this size, which separates a place from the text that follows it
_MAX_CACHED_CHARACTERS: Final = 100  # names and values that occur often are short


def index_terms(customer_id: int, event_type: str, event_data: Any) -> str:
    """Return the terms of an event, separated by spaces. If it has too many values, `INCOMPLETE` replaces the rest."""
    terms: list[str] = []
    _collect(event_data, _ROOT, terms)
    if len(terms) >= MAX_VALUE_TERMS:
        terms[MAX_VALUE_TERMS:] = [INCOMPLETE]
    return " ".join((_customer_term(customer_id), _type_term(event_type), *terms))


def match_expression(event_filter: EventFilter) -> str:
    """Return an FTS5 query for the events that may match all conditions of the filter except its times.

    Events with the term `INCOMPLETE` are included and have to be compared themselves. Syntax:
    https://www.sqlite.org/fts5.html#full_text_query_syntax
    """
    customers = event_filter.customers
    groups = [
        [] if customers is None else map(_customer_term, customers),
        map(_type_term, event_filter.event_types),
        *((*_wanted_terms(data.path, data.values), INCOMPLETE) for data in event_filter.data),
    ]
    return " AND ".join(f"({any_of})" for group in groups if (any_of := " OR ".join(f'"{term}"' for term in group)))


def needs_recheck(event_filter: EventFilter) -> str:
    """Return an FTS5 query for those events of `match_expression` whose values are not all indexed."""
    return f'({match_expression(event_filter)}) AND "{INCOMPLETE}"'


def _wanted_terms(path: tuple[str | int, ...], values: Iterable[JsonScalar]) -> Iterator[str]:
    place = _ROOT
    for step in path:
        place = _child(place, step)
    return (_leaf_term(place, value) for value in values)


def _collect(value: Any, place: bytes, terms: list[str]) -> None:
    """Add the terms of all scalars inside `value`, up to the maximum."""
    if not isinstance(value, dict | list):
        terms.append(_leaf_term(place, value))
        return
    for step, child in value.items() if isinstance(value, dict) else enumerate(value):
        _collect(child, _child(place, step), terms)
        if len(terms) > MAX_VALUE_TERMS:
            return


def _child(place: bytes, step: str | int) -> bytes:
    """Return the place of a member or an element of the value at `place`. All places have 8 bytes, at any depth."""
    if isinstance(step, str) and len(step) > _MAX_CACHED_CHARACTERS:
        return _hash(place, f"m{step}")
    return _cached_child(place, step)


@lru_cache(maxsize=10_000)
def _cached_child(place: bytes, step: str | int) -> bytes:
    return _hash(place, f"m{step}" if isinstance(step, str) else f"i{step}")


def _leaf_term(place: bytes, value: JsonScalar) -> str:
    if isinstance(value, str) and len(value) > _MAX_CACHED_CHARACTERS:
        return _hash(place, _canonical(value)).hex()
    return _cached_leaf_term(place, value)


@lru_cache(maxsize=20_000, typed=True)  # typed, because True == 1
def _cached_leaf_term(place: bytes, value: JsonScalar) -> str:
    return _hash(place, _canonical(value)).hex()


def _canonical(value: JsonScalar) -> str:
    """Return the same text for equal values and only for these: 5 equals 5.0, but 1 does not equal true."""
    if isinstance(value, str):
        return f"s{value}"
    if value is None or isinstance(value, bool):
        return f"{value}"
    return f"n{int(value) if value == int(value) else value!r}"


@lru_cache(maxsize=1_000)
def _customer_term(customer_id: int) -> str:
    return _hash(_ROOT, f"customer {customer_id}").hex()


@lru_cache(maxsize=1_000)
def _type_term(event_type: str) -> str:
    return _hash(_ROOT, f"type {event_type}").hex()


def _hash(place: bytes, text: str) -> bytes:
    return blake2b(place + text.encode(), digest_size=8).digest()


INCOMPLETE: Final = _hash(_ROOT, "incomplete").hex()
"""Term of an event that has more values than terms."""
