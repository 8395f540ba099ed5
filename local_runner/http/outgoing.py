"""The sending side of a connection: its responses, and its end."""

from collections.abc import Sequence
from typing import Any, Final

from functions.http.limits import MAX_BODY_BYTES
from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.http.codec import encode_headers, encode_response
from local_runner.http.connection_limits import ConnectionLimits, Share
from local_runner.http.deadlines import Wait

_LINGER_BYTES: Final = MAX_BODY_BYTES  # from a client that reads no response before it has sent all


class Outgoing:
    """Writes to one transport, and keeps the bytes that the client does not read within the limits."""

    __slots__ = ("_defaults", "_discarded", "_limits", "_responses", "_transport", "closing", "lingering", "writable")

    def __init__(self, transport: Any, limits: ConnectionLimits) -> None:
        self._transport = transport
        self._limits = limits
        self._responses = Share(limits.responses)
        self._defaults: tuple[Sequence[tuple[bytes, bytes]], bytes] = ((), b"")
        self._discarded = 0  # bytes
        self.writable = True
        """The client reads its responses; it may be set by the transport's notices."""
        self.closing = False
        self.lingering = False
        """Bytes that arrive are discarded, so that the client reads the last response."""

    @property
    def open(self) -> bool:
        """Whether a further response can be written now."""
        return self.writable and not (self.closing or self.lingering)

    @property
    def used_bytes(self) -> int:
        """Bytes of responses that the client does not read."""
        return self._responses.used_bytes

    def send(self, response: HTTPResponse, defaults: Sequence[tuple[bytes, bytes]], *, keep_alive: bool) -> None:
        """Send a response; `defaults` are headers of every response, such as Date. uvicorn makes a list each second."""
        if self._defaults[0] is not defaults:
            self._defaults = defaults, encode_headers(defaults)
        content = encode_response(response, self._defaults[1], keep_alive=keep_alive)
        self._transport.write(content)
        if not self.writable:
            self._responses.set(len(content))
            if self._limits.responses.exceeded:
                self._limits.bound_responses()

    def resume(self) -> None:
        """The client reads again."""
        self.writable = True
        self._responses.set(0)

    def linger(self) -> None:
        """Close later: closed at once, with bytes unread, the response may never arrive (RFC 9112 section 9.6)."""
        self.lingering = True
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def discard(self, count: int) -> None:
        """Discard bytes that arrive while the connection lingers."""
        self._discarded += count
        if self._discarded > _LINGER_BYTES:
            self._transport.abort()

    def close(self) -> None:
        """Close when everything is written."""
        self.closing = True
        self._transport.close()

    def release(self) -> None:
        """Give back what the responses of a lost connection hold."""
        self.closing = True
        self._responses.set(0)

    def waits_for(self) -> Wait:
        """Return the step that the connection waits for on this side."""
        if self.lingering:
            return Wait.LINGER
        if self.closing and not self._transport.get_write_buffer_size():
            return Wait.CLOSE
        return Wait.READER if self.closing or not self.writable else Wait.NOTHING
