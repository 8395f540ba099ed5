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
from local_runner.http.codec import parse_header_name, parse_target

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

    def __init__(self, peer: str, on_phase: Callable[[], None], on_expectation: Callable[[], None]) -> None:
        """Start with nothing received.

        `peer` is the client's address. `on_phase` is called at the start of each phase, `on_expectation` when a client
        waits for permission to send a body (RFC 9110 section 10.1.1).
        """
        self._peer = peer
        self._on_phase = on_phase
        self._on_expectation = on_expectation
        self._parser: Any = httptools.HttpRequestParser(self)
        self._parsed: deque[ParsedRequest] = deque()
        self._parsed_bytes = 0
        self.phase = Phase.REQUEST
        self.ended = False
        """Nothing more is parsed: the last parsed request, if any, is the last of the connection."""
        self.reason: AuditLogError | None = None
        """Why it ended, unless the client ended it; bytes may remain unread."""
        self._begun = 0  # requests in the bytes fed last
        self._reset()

    @property
    def has_request(self) -> bool:
        """Whether `take` returns a request."""
        return bool(self._parsed)

    @property
    def used_bytes(self) -> int:
        """Bytes of memory that requests take here, those being received included."""
        return self._parsed_bytes + self._header_bytes + len(self._target) + len(self._body)

    def take(self) -> ParsedRequest:
        """Remove and return the first parsed request."""
        parsed = self._parsed.popleft()
        self._parsed_bytes -= parsed.size
        return parsed

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        at_start = self.phase is Phase.REQUEST
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
            if self.phase is Phase.HEAD and self._phase_bytes > _HEAD_BYTES:
                self.refuse(_too_many_headers())
            elif self.phase is Phase.BODY and self._phase_bytes > _BODY_BYTES_IN_CHUNKS:
                self.refuse(body_too_large())

    def refuse(self, error: AuditLogError) -> None:
        """Refuse the request being received, and parse nothing more."""
        self.ended = True
        self.reason = error.with_traceback(None)  # its frames would hold this object
        self._body.clear()
        self._append(self._request(b""), keep_alive=False, error=error)

    def refuse_all(self, error: AuditLogError) -> None:
        """Refuse all requests received and not taken, and parse nothing more."""
        self._parsed.clear()
        self._parsed_bytes = 0
        self.refuse(error)

    def malformed(self) -> MalformedRequestError:
        """Build the error for bytes that are not HTTP, or that end early."""
        if self.phase is Phase.BODY:
            return MalformedRequestError("The body broke off, or its chunks are malformed or have trailers.")
        return MalformedRequestError("The request line or a header is not HTTP/1.1, or could be read in two ways.")

    def close(self) -> None:
        """Release the requests and every reference back to the connection, so that no garbage collector is needed."""
        self.ended = True
        self.reason = None
        self._parsed.clear()
        self._parsed_bytes = 0
        self._reset()
        self._parser = None
        self._on_phase = self._on_expectation = _nothing

    def on_message_begin(self) -> None:
        """Start a request."""
        if self.ended:
            self._stop(self.malformed())
        self._begun += 1
        self._enter(Phase.HEAD)

    def on_url(self, part: bytes) -> None:
        """Append to the request target."""
        self._target += part
        if len(self._target) > _HEAD_BYTES:
            self._stop(PathTooLongError(f"The path and query have more than {_HEAD_BYTES} bytes: send less."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. A trailer is refused: no handler reads it, and it must not pass for a header."""
        if self.phase is Phase.BODY:
            self._stop(self.malformed())
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > _HEADERS or self._header_bytes > _HEAD_BYTES:
            self._stop(_too_many_headers())
        key, text = parse_header_name(name), value.rstrip().decode("latin-1")
        values = self._headers.get(key)
        if values is None:
            self._headers[key] = [text]
        elif key == "Host":
            self._stop(self.malformed())  # RFC 9112 section 3.2
        else:
            values.append(text)

    def on_headers_complete(self) -> None:
        """Check the framing of the request, and expect its body."""
        headers, self._version = self._headers, self._parser.get_http_version()
        self._method = self._parser.get_method().decode()
        self._path, self._query = parse_target(self._target)
        if self._version not in {"1.1", "1.0"} or (self._version == "1.1" and "Host" not in headers):
            self._stop(MalformedRequestError("Send HTTP/1.1, with the header Host."))
        codings = headers.get("Transfer-Encoding")
        if codings is not None and ", ".join(codings).lower() != "chunked":
            self._stop(MalformedRequestError('Unsupported Transfer-Encoding: only "chunked" is accepted.'))
        self._phase_bytes = 0
        self._enter(Phase.BODY)
        length = int(headers["Content-Length"][0]) if "Content-Length" in headers else 0
        if length > MAX_BODY_BYTES:
            self._stop(body_too_large())
        expects = self._version == "1.1" and headers.get("Expect", [""])[0].lower() == "100-continue"
        if expects and (length or codings):
            self._on_expectation()

    def on_body(self, part: bytes) -> None:
        """Append to the body."""
        self._body += part
        if len(self._body) > MAX_BODY_BYTES:
            self._stop(body_too_large())

    def on_message_complete(self) -> None:
        """Queue the complete request. After one that closes the connection no other is read (RFC 9112 section 9.6)."""
        keep_alive = self._version == "1.1" and self._parser.should_keep_alive()
        self.ended = not keep_alive
        self._append(self._request(bytes(self._body)), keep_alive=keep_alive)

    def _request(self, body: bytes) -> HTTPRequest:
        protocol = f"HTTP/{self._version}"
        return HTTPRequest(self._method, self._path, self._query, self._headers, body, self._peer, protocol)

    def _append(self, request: HTTPRequest, *, keep_alive: bool, error: AuditLogError | None = None) -> None:
        overhead = _REQUEST_OVERHEAD + _HEADER_OVERHEAD * self._header_count
        size = overhead + self._header_bytes + len(self._target) + len(request.body)
        self._parsed.append(ParsedRequest(request, keep_alive, error, size))
        self._parsed_bytes += size
        self._reset()
        self.phase = Phase.REQUEST

    def _reset(self) -> None:
        self._method, self._path, self._query, self._version = "GET", "/", "", "1.1"
        self._target: bytes = b""
        self._headers: dict[str, list[str]] = {}
        self._header_count = 0
        self._header_bytes = 0
        self._phase_bytes = 0
        self._body = bytearray()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._on_phase()

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
        self._headers = {}
        self._append(self._request(b""), keep_alive=False)


def _nothing() -> None:
    """Take the place of the callbacks of a closed connection."""


def _too_many_headers() -> HeadersTooLargeError:
    return HeadersTooLargeError(f"Send at most {_HEADERS} headers, and at most {_HEAD_BYTES} bytes of them.")
