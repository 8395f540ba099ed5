"""Limits on TLS handshakes, which are over before the protocol class sees a connection."""

import ssl
from typing import Any, Final
from weakref import WeakSet

import uvloop

HANDSHAKE_SECONDS: Final = 10.0
"""Time limit of a handshake; uvloop's default is a minute."""


class BoundedContext(ssl.SSLContext):
    """Refuses a handshake while `limit` others have begun on open connections. Each takes about 50 KiB."""

    def __init__(self, _protocol: int, limit: int) -> None:
        self._limit = limit
        self._open: WeakSet[ssl.SSLObject] = WeakSet()

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """See `ssl.SSLContext.wrap_bio`. The event loop calls it at the start of a handshake.

        Raises:
            SSLError: there are too many; the event loop closes the socket.
        """
        if len(self._open) >= self._limit:
            raise ssl.SSLError("too many TLS connections")
        wrapped = super().wrap_bio(*args, **options)
        self._open.add(wrapped)
        return wrapped


class Loop(uvloop.Loop):
    """uvloop with `HANDSHAKE_SECONDS`, for which uvicorn has no setting. For servers with TLS only."""

    def create_server(self, *args: Any, **options: Any) -> Any:
        """See `asyncio.loop.create_server`."""
        return super().create_server(*args, **options, ssl_handshake_timeout=HANDSHAKE_SECONDS)
