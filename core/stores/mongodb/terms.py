"""Terms of the values in event_data, which an index over several keys finds: a digest for each path and scalar.

A step into an array stands for any of its elements, so that a filter on `targets[].id` is answered by the index. One on
`targets[0].id` gets the same events, and looks at each.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

from core.domain.queries import DataFilter, JsonScalar, Step

MAX_TERMS: Final = 2_000
"""Terms of one event, each an entry of the index: an event of a hundred thousand numbers would take seconds."""

INCOMPLETE: Final = b"incomplete"
"""Term of an event that has more values than terms, which a filter has to look at itself."""

_DIGEST_BYTES: Final = 16  # 128 bits: no two terms are equal by chance, or by anyone's work


def terms_of(event_data: Any) -> list[bytes]:
    """Return the terms of an event, each once. If it has too many values, `INCOMPLETE` is the last one."""
    terms: dict[bytes, None] = {}
    for path, value in _scalars(event_data, b""):
        terms[_term(path, value)] = None
        if len(terms) > MAX_TERMS:
            return [*list(terms)[:MAX_TERMS], INCOMPLETE]
    return list(terms)


def wanted_terms(data_filter: DataFilter) -> list[bytes]:
    """Return the terms of which an event that fulfils the filter has one, unless it is incomplete."""
    path = b""
    for step in data_filter.path:
        path = _step(path, step)
    return [_term(path, value) for value in data_filter.values]


def is_exact(path: Sequence[Step]) -> bool:
    """Whether the terms of a path find only events that fulfil the filter."""
    return not any(isinstance(step, int) for step in path)


def _scalars(value: Any, path: bytes) -> Iterator[tuple[bytes, JsonScalar]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _scalars(item, _step(path, name))
    elif isinstance(value, list):
        inside = _step(path, None)
        for item in value:
            yield from _scalars(item, inside)
    else:
        yield path, value


def _step(path: bytes, step: Step) -> bytes:
    """Return the digest of a path, which has one size at any depth: no name reaches into the next step."""
    return _digest(path + (b"m" + step.encode() if isinstance(step, str) else b"e"))


def _term(path: bytes, value: JsonScalar) -> bytes:
    """Return the same term for equal values and only for these: 5 equals 5.0, but 1 does not equal true."""
    if isinstance(value, str):
        text = f"s{value}"
    elif value is None or isinstance(value, bool):
        text = f"{value}"
    else:
        text = f"n{int(value) if value == int(value) else value!r}"
    return _digest(path + text.encode())


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_BYTES).digest()
