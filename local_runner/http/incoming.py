"""The receiving side of a connection: bytes that are not parsed yet, and the memory of its requests."""

from typing import Final

from functions.http.errors import OverloadedError
from local_runner.http.connection_limits import ConnectionLimits, Share
from local_runner.http.parser import RequestParser

_PART_BYTES: Final = 16 * 1024  # so much of one connection at a time: a client that sends without end is not alone

SMALL_BYTES: Final = 16 * 1024
"""A connection whose requests take less keeps them when the budget is exceeded: refusing them would free little."""

_NO_MEMORY: Final = "The service has no memory left for a request of this size: send it again after a while."


class Incoming:
    """Bytes that arrive on one connection, within the limits of all connections together."""

    __slots__ = ("_limits", "_parser", "_requests", "busy_bytes", "unread")

    def __init__(self, parser: RequestParser, limits: ConnectionLimits) -> None:
        self._parser = parser
        self._limits = limits
        self._requests = Share(limits.requests)
        self.unread = b""
        """Received, and not yet given to the parser."""
        self.busy_bytes = 0
        """Memory of the request that is being handled."""

    @property
    def used_bytes(self) -> int:
        """Bytes that the connection holds of the budget."""
        return self._requests.used_bytes

    def receive(self, data: bytes) -> None:
        """Add bytes."""
        self.unread = self.unread + data if self.unread else data

    def parse(self) -> None:
        """Give the next bytes to the parser."""
        part, self.unread = self.unread, b""
        if len(part) > _PART_BYTES:
            part, self.unread = part[:_PART_BYTES], part[_PART_BYTES:]
        self._parser.feed(part)

    def bound(self) -> bool:
        """Account for the requests held here; refuse them if all connections together hold too much, and return so."""
        waiting = self._parser.used_bytes + len(self.unread)
        self._requests.set(waiting + self.busy_bytes)
        if waiting <= SMALL_BYTES or not self._limits.requests.exceeded:
            return False
        self.unread = b""
        self._parser.refuse_all(OverloadedError(_NO_MEMORY))
        self._requests.set(self._parser.used_bytes + self.busy_bytes)
        return True

    def release(self) -> None:
        """Give back what a lost connection holds, but for a request that a thread works on."""
        self.unread = b""
        self._parser.close()
        self._requests.set(self.busy_bytes)
