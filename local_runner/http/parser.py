"""Incremental parser of HTTP/1.1 requests on one connection.

llhttp, through httptools, parses in its strict mode (RFC 9112): a message that two parsers could read differently is
rejected. This module adds limits, and rejects what llhttp lets pass.
"""

import re
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn

import httptools

from core.errors import AuditLogError
from functions.http.errors import HeadersTooLargeError, MalformedRequestError, PathTooLongError
from functions.http.limits import MAX_BODY_BYTES, body_too_large
from local_runner.aws_events.proxy_event import HTTPRequest
from local_runner.http.codec import parse_headers, parse_target
from local_runner.http.known_heads import PATIENCE, KnownHeads, split

_HEAD_BYTES: Final = 64 * 1024
_HEADERS: Final = 100
_BODY_BYTES_IN_CHUNKS: Final = 4 * MAX_BODY_BYTES  # with chunk sizes and line ends
_REQUEST_OVERHEAD: Final = 2048
_HEADER_OVERHEAD: Final = 256
# Bytes of Python objects in addition to the text: a small request takes 2 KiB, however few bytes were sent.
_REQUEST_LINE: Final = re.compile(rb"([!#-'*+.0-9A-Z^-z|~-]+) ([!-~]+) HTTP/1\.[01]\r?\n")


class Phase(Enum):
    """The part of a request that the client has to send next."""

    REQUEST = "a request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"


_REQUEST, _HEAD, _BODY = Phase  # an attribute of an enumeration takes four times as long


class ParsedRequest(NamedTuple):
    """A request with its framing.

    `keep_alive`: another request may follow on the connection. `error`: the request is refused for this reason, and
    `request` holds the received part of it. `size`: bytes of memory that it takes.
    """

    request: HTTPRequest
    keep_alive: bool
    error: AuditLogError | None = None
    size: int = 0


class RequestParser:
    """Parses one connection. httptools calls the methods named `on_`."""

    def __init__(self, peer: str, on_expectation: Callable[[], None], heads: KnownHeads) -> None:
        """Start with nothing received.

        `peer` is the client's address. `on_expectation` is called when a client waits for permission to send a body
        (RFC 9110 section 10.1.1). `heads` are those that all connections share.
        """
        self._peer = peer
        self._heads = heads
        self._on_expectation = on_expectation
        self._parser: Any = httptools.HttpRequestParser(self)
        self.parsed: Final[deque[ParsedRequest]] = deque()
        """The complete requests that `take` returns, in their order."""
        self._parsed_bytes = 0
        self.phase = _REQUEST
        self.phases = 0
        """How many phases the client has begun."""
        self.ended = False
        """Nothing more is parsed: the last parsed request, if any, is the last of the connection."""
        self.reason: AuditLogError | None = None
        """Why it ended, unless the client ended it; bytes may remain unread."""
        self._begun = 0  # requests in the bytes fed last
        self._unknown = 0  # requests since the last one with a known head
        self._fields: list[tuple[bytes, bytes]]
        self._headers: dict[str, list[str]]
        self._body: bytes | bytearray
        self._target: bytes
        self._reset()

    @property
    def used_bytes(self) -> int:
        """Bytes of memory that requests take here, those being received included."""
        return self._parsed_bytes + self._header_bytes + len(self._target) + len(self._body)

    def take(self) -> ParsedRequest:
        """Remove and return the first parsed request."""
        parsed = self.parsed.popleft()
        self._parsed_bytes -= parsed.size
        return parsed

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        at_start = self.phase is _REQUEST
        parts = split(data) if at_start and not self.ended and self._looks_for_heads() else None
        if parts is not None and (known := self._heads.find(parts, self._peer)) is not None:
            self._unknown = 0
            self._queue(ParsedRequest(known[0], keep_alive=True, size=known[1]))
            return
        self._begun = 0
        self._phase_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.ended = True  # answered like any other request; what follows would be another protocol
        except httptools.HttpParserError as error:
            if self.ended:
                self.reason = self.malformed()  # bytes after the last request: read, never answered
            elif isinstance(error, httptools.HttpParserInvalidMethodError):
                self._refuse_method(data if at_start and self._begun == 1 else b"")
            else:
                self.refuse(self.reason or self.malformed())
        else:
            if self.phase is _HEAD and self._phase_bytes > _HEAD_BYTES:
                self.refuse(_too_many_headers())
            elif self.phase is _BODY and self._phase_bytes > _BODY_BYTES_IN_CHUNKS:
                self.refuse(body_too_large())
            elif parts is not None and self._begun == 1 and self.phase is _REQUEST and not self.ended:
                self._heads.remember(parts, self.parsed[-1].request, self.parsed[-1].size)

    def refuse(self, error: AuditLogError) -> None:
        """Refuse the request being received, and parse nothing more."""
        self.ended = True
        self.reason = error.with_traceback(None)  # its frames would hold this object
        self._headers = self._headers or parse_headers(self._fields)
        self._append(b"", keep_alive=False, error=error)

    def refuse_all(self, error: AuditLogError) -> None:
        """Refuse all requests received and not taken, and parse nothing more."""
        self.parsed.clear()
        self._parsed_bytes = 0
        self.refuse(error)

    def malformed(self) -> MalformedRequestError:
        """Build the error for bytes that are not HTTP, or that end early."""
        if self.phase is _BODY:
            return MalformedRequestError("The body broke off, or its chunks are malformed or have trailers.")
        return MalformedRequestError("The request line or a header is not HTTP/1.1, or could be read in two ways.")

    def close(self) -> None:
        """Release the requests and every reference back to the connection, so that no garbage collector is needed."""
        self.ended = True
        self.reason = None
        self.parsed.clear()
        self._parsed_bytes = 0
        self._reset()
        self._parser = None
        self._on_expectation = _nothing

    def on_message_begin(self) -> None:
        """Start a request."""
        if self.ended:
            self._stop(self.malformed())
        self._begun += 1
        self.phase = _HEAD
        self.phases += 1

    def on_url(self, part: bytes) -> None:
        """Append to the request target."""
        self._target += part
        if len(self._target) > _HEAD_BYTES:
            self._stop(PathTooLongError(f"The path and query have more than {_HEAD_BYTES} bytes: send less."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. A trailer is refused: no handler reads it, and it must not pass for a header."""
        if self.phase is _BODY:
            self._stop(self.malformed())
        self._fields.append((name, value))
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEAD_BYTES or len(self._fields) > _HEADERS:
            self._stop(_too_many_headers())

    def on_headers_complete(self) -> None:
        """Check the framing of the request, and expect its body."""
        parser = self._parser
        self._method, self._version = parser.get_method().decode(), parser.get_http_version()
        self._path, self._query = parse_target(self._target)
        self._headers = headers = parse_headers(self._fields)
        if self._version not in {"1.1", "1.0"} or (self._version == "1.1" and "Host" not in headers):
            self._stop(MalformedRequestError("Send HTTP/1.1, with the header Host."))
        if len(headers.get("Host", ())) > 1:
            self._stop(self.malformed())  # RFC 9112 section 3.2
        codings = headers.get("Transfer-Encoding")
        if codings is not None and ", ".join(codings).lower() != "chunked":
            self._stop(MalformedRequestError('Unsupported Transfer-Encoding: only "chunked" is accepted.'))
        self._phase_bytes = 0
        self.phase = _BODY
        self.phases += 1
        length = int(headers["Content-Length"][0]) if "Content-Length" in headers else 0
        if length > MAX_BODY_BYTES:
            self._stop(body_too_large())
        expects = "Expect" in headers and self._version == "1.1" and headers["Expect"][0].lower() == "100-continue"
        if expects and (length or codings):
            self._on_expectation()

    def on_body(self, part: bytes) -> None:
        """Append to the body."""
        if not self._body:
            self._body = part  # most bodies have one part
        elif isinstance(self._body, bytes):
            self._body = bytearray(self._body + part)
        else:
            self._body += part
        if len(self._body) > MAX_BODY_BYTES:
            self._stop(body_too_large())

    def on_message_complete(self) -> None:
        """Queue the complete request. After one that closes the connection no other is read (RFC 9112 section 9.6)."""
        keep_alive = self._version == "1.1" and self._parser.should_keep_alive()
        self.ended = not keep_alive
        self._append(bytes(self._body), keep_alive=keep_alive)

    def _looks_for_heads(self) -> bool:
        """Whether to look the head of the next request up: seldom, where those before were all unknown."""
        self._unknown += 1
        return self._unknown <= PATIENCE or not self._unknown % PATIENCE

    def _append(self, body: bytes, *, keep_alive: bool, error: AuditLogError | None = None) -> None:
        protocol = "HTTP/1.1" if self._version == "1.1" else f"HTTP/{self._version}"
        request = HTTPRequest(self._method, self._path, self._query, self._headers, body, self._peer, protocol)
        overhead = _REQUEST_OVERHEAD + _HEADER_OVERHEAD * len(self._fields) + self._header_bytes + len(self._target)
        self._queue(ParsedRequest(request, keep_alive, error, overhead + len(body)))
        self._reset()
        self.phase = _REQUEST

    def _queue(self, parsed: ParsedRequest) -> None:
        self.parsed.append(parsed)
        self._parsed_bytes += parsed.size

    def _reset(self) -> None:
        self._method, self._path, self._query, self._version = "GET", "/", "", "1.1"
        self._target = b""
        self._fields = []
        self._headers = {}
        self._body = b""
        self._header_bytes = self._phase_bytes = 0

    def _stop(self, error: AuditLogError) -> NoReturn:
        """Leave httptools from a callback. It raises its error class; `reason` keeps ours."""
        self.reason = error
        raise error

    def _refuse_method(self, data: bytes) -> None:
        """Refuse a method that llhttp does not know; its path decides which methods are named as allowed."""
        line = _REQUEST_LINE.match(data)
        if line is None:
            self.refuse(self.malformed())
            return
        self.ended = True
        self.reason = self.malformed()
        self._method = line[1].decode()
        self._path, self._query = parse_target(line[2])
        self._append(b"", keep_alive=False)


def _nothing() -> None:
    """Take the place of the callbacks of a closed connection."""


def _too_many_headers() -> HeadersTooLargeError:
    return HeadersTooLargeError(f"Send at most {_HEADERS} headers, and at most {_HEAD_BYTES} bytes of them.")
