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
    values = (_word(path + _VALUE + _canonical(value)) for path, value in _leaves(event_data))
    return " ".join((_of_customer(customer_id), _of_type(event_type), *values))


def expression(event_filter: EventFilter) -> str:
    """What an FTS5 index of words is asked to find the events that hold all of the filter but its times.

    The syntax is that of https://www.sqlite.org/fts5.html#full_text_query_syntax.
    """
    customers = event_filter.customers
    groups = [
        [] if customers is None else map(_of_customer, customers),
        map(_of_type, event_filter.event_types),
        *(map(_word, _wanted(data.path, data.values)) for data in event_filter.data),
    ]
    return " AND ".join(f"({any_of})" for group in groups if (any_of := " OR ".join(f'"{word}"' for word in group)))


def _wanted(path: tuple[str | int, ...], values: Iterable[JsonScalar]) -> Iterator[str]:
    steps = "".join(f"{_INDEX}{step}" if isinstance(step, int) else _MEMBER + step for step in path)
    return (steps + _VALUE + _canonical(value) for value in values)


def _leaves(value: Any) -> Iterator[tuple[str, JsonScalar]]:
    """Every scalar inside, with its path. Not by recursion, which costs a generator for each level."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend((path + _MEMBER + name, inner) for name, inner in item.items())
        elif isinstance(item, list):
            waiting.extend((f"{path}{_INDEX}{number}", inner) for number, inner in enumerate(item))
        else:
            yield path, item


def _canonical(value: JsonScalar) -> str:
    """One text for what is equal, and only for that: 5 and 5.0 are, 1 and true are not."""
    if isinstance(value, str):
        return f"s{value}"
    if value is None or isinstance(value, bool):
        return f"{value}"
    return f"n{int(value) if value == int(value) else value!r}"


def _of_customer(customer_id: int) -> str:
    return _word(f"customer {customer_id}")


def _of_type(event_type: str) -> str:
    return _word(f"type {event_type}")


@lru_cache(maxsize=10_000)
def _word(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()
