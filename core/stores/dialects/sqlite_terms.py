"""The words that SQLite's full-text index has for an event: its customer, its type, each value with its path.

A word is a hash of 64 bits, so that values of any length and alphabet are words, and two of a database are alike by
chance once in many millions of databases. What is changed here makes a new index necessary, by a migration.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from core.domain.queries import EventFilter, JsonScalar

MOST_WORDS: Final = 2_000
"""Of the values of one event. An event of a hundred thousand numbers must not cost the store seconds."""

_ROOT: Final = bytes(8)  # of the size of all places, so that a place and what follows are told apart
_CACHED_CHARACTERS: Final = 100  # of names and values: what comes again and again is short


def index_terms(customer_id: int, event_type: str, event_data: Any) -> str:
    """All words of an event, separated by spaces; with too many, some of them and the word `INCOMPLETE`."""
    found: list[str] = []
    _collect(event_data, _ROOT, found)
    if len(found) >= MOST_WORDS:
        found[MOST_WORDS:] = [INCOMPLETE]
    return " ".join((_of_customer(customer_id), _of_type(event_type), *found))


def match_expression(event_filter: EventFilter) -> str:
    """What an FTS5 index of words is asked to find the events that may hold all of the filter but its times.

    Those that have the word `INCOMPLETE` have to be looked at. The syntax is that of
    https://www.sqlite.org/fts5.html#full_text_query_syntax.
    """
    customers = event_filter.customers
    groups = [
        [] if customers is None else map(_of_customer, customers),
        map(_of_type, event_filter.event_types),
        *((*_wanted(data.path, data.values), INCOMPLETE) for data in event_filter.data),
    ]
    return " AND ".join(f"({any_of})" for group in groups if (any_of := " OR ".join(f'"{word}"' for word in group)))


def needs_recheck(event_filter: EventFilter) -> str:
    """The same for those of them that the index does not know as a whole."""
    return f'({match_expression(event_filter)}) AND "{INCOMPLETE}"'


def _wanted(path: tuple[str | int, ...], values: Iterable[JsonScalar]) -> Iterator[str]:
    place = _ROOT
    for step in path:
        place = _below(place, step)
    return (_of_leaf(place, value) for value in values)


def _collect(value: Any, place: bytes, found: list[str]) -> None:
    """Add the words of all scalars inside, until there are enough."""
    if not isinstance(value, dict | list):
        found.append(_of_leaf(place, value))
        return
    for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
        _collect(inner, _below(place, step), found)
        if len(found) > MOST_WORDS:
            return


def _below(place: bytes, step: str | int) -> bytes:
    """What stands for a member or an element of what stands at `place`: of one size, however long the path."""
    if isinstance(step, str) and len(step) > _CACHED_CHARACTERS:
        return _hash(place, f"m{step}")
    return _below_cached(place, step)


@lru_cache(maxsize=10_000)
def _below_cached(place: bytes, step: str | int) -> bytes:
    return _hash(place, f"m{step}" if isinstance(step, str) else f"i{step}")


def _of_leaf(place: bytes, value: JsonScalar) -> str:
    if isinstance(value, str) and len(value) > _CACHED_CHARACTERS:
        return _hash(place, _canonical(value)).hex()
    return _of_leaf_cached(place, value)


@lru_cache(maxsize=20_000, typed=True)  # true and 1 are equal to Python
def _of_leaf_cached(place: bytes, value: JsonScalar) -> str:
    return _hash(place, _canonical(value)).hex()


def _canonical(value: JsonScalar) -> str:
    """One text for what is equal, and only for that: 5 and 5.0 are, 1 and true are not."""
    if isinstance(value, str):
        return f"s{value}"
    if value is None or isinstance(value, bool):
        return f"{value}"
    return f"n{int(value) if value == int(value) else value!r}"


@lru_cache(maxsize=1_000)
def _of_customer(customer_id: int) -> str:
    return _hash(_ROOT, f"customer {customer_id}").hex()


@lru_cache(maxsize=1_000)
def _of_type(event_type: str) -> str:
    return _hash(_ROOT, f"type {event_type}").hex()


def _hash(place: bytes, text: str) -> bytes:
    return blake2b(place + text.encode(), digest_size=8).digest()


INCOMPLETE: Final = _hash(_ROOT, "incomplete").hex()
"""The word of an event that has more values than words."""
