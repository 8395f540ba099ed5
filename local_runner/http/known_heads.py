"""Memory of request heads: a client sends the same bytes with each event, but for the Content-Length.

A parser that is between two requests makes the same of the same bytes, so a known head is not parsed again:
docs/decisions/0074-known-heads-are-not-parsed-again.md
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from local_runner.aws_events.proxy_event import HTTPRequest

MOST_HEADS: Final = 1024
PATIENCE: Final = 16
"""Requests with unknown heads after which a connection looks for a known one only at each 16th: its client, with a new
token each time for example, would pay in vain. One that is found ends that."""

_MOST_BYTES: Final = 2048  # of one head; with its Python objects about four times as much
_MOST_DIGITS: Final = 8  # and the end of the line
_LENGTH: Final = b"\r\nContent-Length: "
_LENGTH_IN_LOWER_CASE: Final = b"\r\ncontent-length: "
_END_OF_LINE: Final = b"\r"
_END: Final = b"\r\n\r\n"
_UNIQUE: Final = frozenset({"Idempotency-Key", "Traceparent", "X-Request-Id"})
"""Headers with another value in each request: such a head is seen once."""


Parts = tuple[bytes, bytes, bytes]
"""A head without the digits of its Content-Length, these digits, and the body."""


class _Head(NamedTuple):
    method: str
    path: str
    query: str
    headers: Mapping[str, Sequence[str]]
    size: int  # bytes of memory that a request with this head takes in addition to its body


class KnownHeads:
    """The heads that the parsers of a process remember: those of requests with a body and a bearer token."""

    def __init__(self, most: int = MOST_HEADS) -> None:
        self._most = most
        self._heads: dict[bytes, _Head] = {}  # by their bytes without the digits of Content-Length
        self._seen: set[int] = set()  # hashes of heads that came once: most clients with a new head send no second one

    def find(self, parts: Parts, peer: str) -> tuple[HTTPRequest, int] | None:
        """Return the request that `split` gave and its bytes of memory, if its head is known.

        The parser that asks is between two requests of the client `peer`.
        """
        key, digits, body = parts
        if (head := self._heads.get(key)) is None:
            return None
        method, path, query, headers, size = head
        headers = {**headers, "Content-Length": [digits.decode()]}
        return HTTPRequest(method, path, query, headers, body, peer), size + len(body)

    def remember(self, parts: Parts, request: HTTPRequest, size: int) -> None:
        """Remember the head of `request`, which a parser between two requests has found to be all of `parts`.

        `size` is its bytes of memory. It is known from its second request on. Left out are heads with a header that
        differs each time, and those with a client's secret.
        """
        method, path, query, headers, body, *_ = request
        bearer = headers.get("Authorization", [""])[0].startswith("Bearer ")
        if not bearer or not _UNIQUE.isdisjoint(headers):
            return
        key = parts[0]
        if (number := hash(key)) not in self._seen:
            if len(self._seen) >= self._most:
                self._seen.clear()
            self._seen.add(number)
        elif key.find(_END) + len(_END) == len(key):
            if len(self._heads) >= self._most:
                self._heads.clear()
            self._heads[key] = _Head(method, path, query, headers, size - len(body))


def split(data: bytes) -> Parts | None:
    """Split a request into its head without the digits of the Content-Length, these digits, and its body.

    It does not look for the end of the head: a remembered head has one, before the body.
    """
    start = data.find(_LENGTH, 0, _MOST_BYTES)
    if start < 0 and (start := data.find(_LENGTH_IN_LOWER_CASE, 0, _MOST_BYTES)) < 0:
        return None
    start += len(_LENGTH)
    stop = data.find(_END_OF_LINE, start, start + _MOST_DIGITS)
    digits = data[start:stop]
    if not digits.isdigit() or not (end := len(data) - int(digits)) > stop:
        return None
    return data[:start] + data[stop:end], digits, data[end:]
