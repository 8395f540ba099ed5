"""Limits on all connections of a process together: their number, and the bytes that they hold.

The connection that has kept the service waiting longest makes room for others, so that clients that send and read at
once are served while slow ones fill the limits.
"""

import resource
from collections.abc import Collection
from heapq import nsmallest
from typing import Final, Protocol

MAX_REQUEST_BYTES: Final = 128 * 1024 * 1024
"""Bytes of requests that arrive, wait for their turn or are with a handler."""

MAX_RESPONSE_BYTES: Final = 128 * 1024 * 1024
"""Bytes of responses that clients do not read, unless they fit into the transport's buffer."""

MAX_CONNECTIONS: Final = 4096
MAX_TLS_CONNECTIONS: Final = 1024
# The buffers of a connection that are not counted above take up to 128 KiB, with TLS 0.5 MiB, most of it in OpenSSL.

_RESERVED_FILES: Final = 128
# Descriptors that connections leave for the store, the queue and the metrics port.
_MIN_CONNECTIONS: Final = 16
_EVICTED_AT_ONCE: Final = 32
# To find them takes a look at all connections, which is too slow to be done for every new one of a flood.


class Evictable(Protocol):
    """A connection, for `ConnectionLimits`."""

    @property
    def waiting_since(self) -> float | None:
        """When it began to wait for its client, in seconds of the event loop's clock. None: the client waits for it."""

    @property
    def response_bytes(self) -> int:
        """Bytes of the response that its client does not read."""

    def evict(self) -> None:
        """Close it, and release at once what it holds."""


class ByteBudget:
    """Bytes in use and their limit. Only the event loop's thread may change them."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit: Final = limit
        self.used = 0

    @property
    def exceeded(self) -> bool:
        """Whether more is in use than the limit allows."""
        return self.used > self.limit


class Share:
    """The bytes of a budget that one connection holds."""

    __slots__ = ("_budget", "used_bytes")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.used_bytes = 0

    def set(self, count: int) -> None:
        """Set the bytes held to `count`."""
        self._budget.used += count - self.used_bytes
        self.used_bytes = count


class ConnectionLimits:
    """The open connections of one process, and the two budgets that they share."""

    def __init__(
        self,
        max_connections: int = MAX_CONNECTIONS,
        max_request_bytes: int = MAX_REQUEST_BYTES,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self.max_connections: Final = max_connections
        self.requests: Final = ByteBudget(max_request_bytes)
        self.responses: Final = ByteBudget(max_response_bytes)
        self._open: set[Evictable] = set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def add(self, connection: Evictable) -> bool:
        """Add an open connection; False if it is one too many, and none of the others waits for its client."""
        if len(self._open) >= self.max_connections:
            for slow in _slowest(self._open, max(1, min(_EVICTED_AT_ONCE, self.max_connections // 8))):
                slow.evict()
        self._open.add(connection)
        return len(self._open) <= self.max_connections

    def remove(self, connection: Evictable) -> None:
        """Remove a connection that is closed; it may be gone already."""
        self._open.discard(connection)

    def bound_responses(self) -> None:
        """Evict the slowest readers until the responses of the others are within their budget."""
        unread = [connection for connection in self._open if connection.response_bytes]
        for slow in _slowest(unread, len(unread)):
            if self.responses.exceeded:
                slow.evict()


def max_connections(*, tls: bool) -> int:
    """How many connections a process may have: fewer where the limit of open files (`RLIMIT_NOFILE`) is low."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MAX_TLS_CONNECTIONS if tls else MAX_CONNECTIONS
    return limit if files == resource.RLIM_INFINITY else max(_MIN_CONNECTIONS, min(limit, files - _RESERVED_FILES))


def _slowest(connections: Collection[Evictable], count: int) -> list[Evictable]:
    """Those that have waited longest for their client, at most `count`; none for whom the client waits."""
    waiting = [(since, connection) for connection in connections if (since := connection.waiting_since) is not None]
    return [connection for _, connection in nsmallest(count, waiting, key=lambda entry: entry[0])]
