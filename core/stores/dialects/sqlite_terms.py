"""Terms of SQLite's full-text index: an event's customer, its type, and each value in event_data with its path.

A term is a 64-bit hash, so that values of any length and alphabet can be indexed. Two terms of a database collide once
in many millions of databases. Any change of the terms requires a migration that builds a new index.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from core.domain.queries import EventFilter, JsonScalar, Step

MAX_VALUE_TERMS: Final = 2_000
"""Terms of the values of one event. An event of a hundred thousand numbers would take the store seconds."""

_DIGEST_BYTES: Final = 8
_ROOT: Final = bytes(_DIGEST_BYTES)
_MAX_CACHED_CHARACTERS: Final = 100  # names and values that occur often are short
_MAX_CACHED: Final = 30_000  # paths and terms, up to 1 KB each


class _Path:
    """A path into event_data, its cached continuations, and the cached terms of values at it, by canonical text.

    The digest of a path has the same size at any depth, which separates it from the text that follows it.
    """

    __slots__ = ("_hasher", "children", "terms")

    def __init__(self, digest: bytes) -> None:
        self._hasher = blake2b(digest, digest_size=_DIGEST_BYTES)
        self.children: dict[str | int, _Path] = {}
        self.terms: dict[str, str] = {}

    def child(self, step: str | int) -> "_Path":
        """Return the path of a member or an element of the value at this path."""
        return _Path(self._hash(f"m{step}" if isinstance(step, str) else f"i{step}"))

    def term(self, canonical: str) -> str:
        """Return the term of a value at this path."""
        return self._hash(canonical).hex()

    def _hash(self, text: str) -> bytes:
        hasher = self._hasher.copy()  # half the time of a new one
        hasher.update(text.encode())
        return hasher.digest()


class _Cache:
    """Paths and terms of the latest events, as a tree, so that a value that occurs again costs one look-up.

    At its bound it starts again: what occurs often is soon back, and no entry needs the bookkeeping of an LRU cache.
    Threads may share it, because an entry that one of them loses is only made again.
    """

    def __init__(self) -> None:
        self.root = _Path(_ROOT)
        self._size = 0

    def child(self, path: _Path, step: str | int) -> _Path:
        """Add the path of a member or an element."""
        child = path.child(step)
        if isinstance(step, int) or len(step) <= _MAX_CACHED_CHARACTERS:
            path.children[step] = child
            self._count()
        return child

    def term(self, path: _Path, canonical: str) -> str:
        """Add the term of a value."""
        term = path.term(canonical)
        if len(canonical) <= _MAX_CACHED_CHARACTERS:
            path.terms[canonical] = term
            self._count()
        return term

    def _count(self) -> None:
        self._size += 1
        if self._size > _MAX_CACHED:
            self.root, self._size = _Path(_ROOT), 0


_cache: Final = _Cache()


def index_terms(customer_id: int, event_type: str, event_data: Any) -> str:
    """Return the terms of an event, separated by spaces. If it has too many values, `INCOMPLETE` replaces the rest."""
    terms: list[str] = []
    _collect(event_data, _cache.root, terms)
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


def _wanted_terms(path: tuple[Step, ...], values: Iterable[JsonScalar]) -> Iterator[str]:
    place = _Path(_ROOT)
    for step in path:
        if step is None:
            raise ValueError("no term stands for any element of an array")
        place = place.child(step)
    return (place.term(_canonical(value)) for value in values)


def _collect(container: Any, path: _Path, terms: list[str]) -> None:
    """Add the terms of all scalars inside an object or array, up to the maximum."""
    # The most expensive Python of storing an event, hence exact types, and no call for a cached string.
    children = path.children
    for step, value in container.items() if type(container) is dict else enumerate(container):
        child = children.get(step) or _cache.child(path, step)
        kind = type(value)
        if kind is dict or kind is list:
            _collect(value, child, terms)
        else:
            canonical = "s" + value if kind is str else _canonical(value)
            terms.append(child.terms.get(canonical) or _cache.term(child, canonical))
        if len(terms) > MAX_VALUE_TERMS:
            return


def _canonical(value: JsonScalar) -> str:
    """Return the same text for equal values and only for these: 5 equals 5.0, but 1 does not equal true."""
    if isinstance(value, str):
        return f"s{value}"
    if value is None or isinstance(value, bool):
        return f"{value}"
    return f"n{int(value) if value == int(value) else value!r}"


@lru_cache(maxsize=1_000)
def _customer_term(customer_id: int) -> str:
    return _ROOT_PATH.term(f"customer {customer_id}")


@lru_cache(maxsize=1_000)
def _type_term(event_type: str) -> str:
    return _ROOT_PATH.term(f"type {event_type}")


_ROOT_PATH: Final = _Path(_ROOT)
INCOMPLETE: Final = _ROOT_PATH.term("incomplete")
"""Term of an event that has more values than terms."""
