"""The words that SQLite's full-text index has for an event: its customer, its type, each value with its path.

A word is a hash of 64 bits, so that values of any length and alphabet are words, and two of a database are alike by
chance once in many millions of databases. What is changed here makes a new index necessary, by a migration.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from core.queries import EventFilter, JsonScalar

# No text of an event has a NUL in it (`core.strict_json`), so it keeps the parts of a path and the value apart.
_MEMBER, _INDEX, _VALUE = "\0m", "\0i", "\0="


def words(customer_id: int, event_type: str, event_data: Any) -> str:
    """All words of an event, separated by spaces."""
    found = [_of_customer(customer_id), _of_type(event_type)]
    _collect(event_data, "", found)
    return " ".join(found)


def expression(event_filter: EventFilter) -> str:
    """What an FTS5 index of words is asked to find the events that hold all of the filter but its times.

    The syntax is that of https://www.sqlite.org/fts5.html#full_text_query_syntax.
    """
    customers = event_filter.customers
    groups = [
        [] if customers is None else map(_of_customer, customers),
        map(_of_type, event_filter.event_types),
        *(_wanted(data.path, data.values) for data in event_filter.data),
    ]
    return " AND ".join(f"({any_of})" for group in groups if (any_of := " OR ".join(f'"{word}"' for word in group)))


def _wanted(path: tuple[str | int, ...], values: Iterable[JsonScalar]) -> Iterator[str]:
    steps = "".join(f"{_INDEX}{step}" if isinstance(step, int) else _MEMBER + step for step in path)
    return (_of_leaf(steps, value) for value in values)


def _collect(value: Any, path: str, found: list[str]) -> None:
    """Add the word of every scalar inside."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _collect(inner, path + _MEMBER + name, found)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _collect(inner, f"{path}{_INDEX}{number}", found)
    else:
        found.append(_of_leaf(path, value))


def _canonical(value: JsonScalar) -> str:
    """One text for what is equal, and only for that: 5 and 5.0 are, 1 and true are not."""
    if isinstance(value, str):
        return f"s{value}"
    if value is None or isinstance(value, bool):
        return f"{value}"
    return f"n{int(value) if value == int(value) else value!r}"


@lru_cache(maxsize=20_000, typed=True)  # true and 1 are equal to Python
def _of_leaf(path: str, value: JsonScalar) -> str:
    return _word(path + _VALUE + _canonical(value))


@lru_cache(maxsize=1_000)
def _of_customer(customer_id: int) -> str:
    return _word(f"customer {customer_id}")


@lru_cache(maxsize=1_000)
def _of_type(event_type: str) -> str:
    return _word(f"type {event_type}")


def _word(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()
