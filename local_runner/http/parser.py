"""From the bytes of a connection to WSGI environs: a request is complete when it leaves here, or is refused.

llhttp, through httptools, does the parsing (RFC 9112), in its strict mode: what two readers could take differently is
no request. What is left is here: limits, and what llhttp lets pass.
"""

import re
from collections import deque
from collections.abc import Callable
from enum import Enum
from io import BytesIO, RawIOBase
from typing import Any, Final, NamedTuple, NoReturn

import httptools

from core.errors import AuditLogError
from functions.http.errors import HeadersTooLargeError, MalformedRequestError, PathTooLongError
from functions.http.limits import MAX_BODY_BYTES
from local_runner.aws_events.proxy_event import too_large
from local_runner.http.codec import FailingBody, header_key, parse_target

_HEAD_BYTES: Final = 64 * 1024
_HEADERS: Final = 100
_BODY_BYTES_IN_CHUNKS: Final = 4 * MAX_BODY_BYTES  # with their sizes and line ends
_REQUEST_OVERHEAD: Final = 2048
_HEADER_OVERHEAD: Final = 256
# Bytes of Python objects, in addition to the text: a small request takes 2 KiB, however few bytes it was sent in.
_REQUEST_LINE: Final = re.compile(rb"([!#-'*+.0-9A-Z^-z|~-]+) ([!-~]+) HTTP/1\.[01]\r?\n")


class Phase(Enum):
    """What is awaited of a client."""

    REQUEST = "a request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"


class ParsedRequest(NamedTuple):
    """A request, whether the connection may stay for another one, and the bytes of memory that it takes."""

    environ: dict[str, Any]
    keep_alive: bool
    size: int


class RequestParser:
    """Reads one connection. The methods named `on_` are the parser's to call."""

    def __init__(self, peer: str, on_phase: Callable[[], None], on_expectation: Callable[[], None]) -> None:
        """Begin with nothing read.

        `peer` is the client's address. `on_phase` is called when another phase begins, and `on_expectation` when a body
        is not sent before it is asked for (RFC 9110 section 10.1.1).
        """
        self._peer = peer
        self._on_phase = on_phase
        self._on_expectation = on_expectation
        self._parser: Any = httptools.HttpRequestParser(self)
        self.arrived: deque[ParsedRequest] = deque()
        self.phase = Phase.REQUEST
        self.ended = False
        """Nothing more is read: the last request that arrived, if there is one, is the last of the connection."""
        self.reason: AuditLogError | None = None
        """Why it ended, unless the client wanted so; there may be bytes that nobody reads."""
        self._begun = 0  # requests, of what was fed last
        self._arrived_bytes = 0
        self._forget()

    @property
    def held(self) -> int:
        """Bytes of memory that requests take here: those that arrived, and the one that is arriving."""
        return self._arrived_bytes + self._header_bytes + len(self._target) + len(self._body)

    def feed(self, data: bytes) -> None:
        """Read on."""
        at_start = self.phase is Phase.REQUEST
        self._begun = 0
        self._phase_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.ended = True  # answered like any other; what follows would be of another protocol
        except httptools.HttpParserInvalidMethodError:
            self._refuse_method(data if at_start and self._begun == 1 else b"")
        except httptools.HttpParserError:
            self.refuse(self.reason or self.malformed())
        else:
            if self.phase is Phase.HEAD and self._phase_bytes > _HEAD_BYTES:
                self.refuse(_too_many_headers())
            elif self.phase is Phase.BODY and self._phase_bytes > _BODY_BYTES_IN_CHUNKS:
                self.refuse(too_large())

    def refuse(self, reason: AuditLogError, body: RawIOBase | BytesIO | None = None) -> None:
        """In place of the rest of the request: the application is given what came, and refuses it where it reads."""
        self.ended = True
        self.reason = reason.with_traceback(None)  # its frames hold this object
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input_terminated": True, **self._environ}
        environ["wsgi.input"] = body or FailingBody(reason)
        environ.pop("CONTENT_LENGTH", None)  # so much will not come
        self._arrive(environ, keep_alive=False, body_bytes=0)

    def refuse_all(self, reason: AuditLogError) -> None:
        """In place of all requests that are here, and of what the connection would still send."""
        self.arrived.clear()
        self._arrived_bytes = 0
        self.refuse(reason)

    def take(self) -> ParsedRequest:
        """The first of the requests that have arrived, which is then no longer here."""
        request = self.arrived.popleft()
        self._arrived_bytes -= request.size
        return request

    def malformed(self) -> MalformedRequestError:
        """The reason where what came is no HTTP, or not all of it came."""
        if self.phase is Phase.BODY:
            return MalformedRequestError("The body broke off, or its chunks are malformed or have trailers.")
        return MalformedRequestError("The request line or a header is not HTTP/1.1, or could be read in two ways.")

    def close(self) -> None:
        """Release requests, and all that holds this object in turn: it must be freed without the garbage collector."""
        self.ended = True
        self.reason = None
        self.arrived.clear()
        self._arrived_bytes = 0
        self._forget()
        self._parser = None
        self._on_phase = self._on_expectation = _nothing

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun += 1
        self._enter(Phase.HEAD)

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        self._target += part
        if len(self._target) > _HEAD_BYTES:
            self._stop(PathTooLongError(f"The path and query have more than {_HEAD_BYTES} bytes: send less."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody here reads and which must not pass for a header."""
        if self.phase is Phase.BODY:
            self._stop(self.malformed())
        self._headers += 1
        self._header_bytes += len(name) + len(value)
        if self._headers > _HEADERS or self._header_bytes > _HEAD_BYTES:
            self._stop(_too_many_headers())
        key, text = header_key(name), value.rstrip().decode("latin-1")
        if key in self._environ:
            if key == "HTTP_HOST":
                self._stop(self.malformed())  # RFC 9112 section 3.2
            text = f"{self._environ[key]}, {text}"
        self._environ[key] = text

    def on_headers_complete(self) -> None:
        """The head is there: what it says makes the WSGI environ (PEP 3333), as far as the application reads it."""
        environ, version = self._environ, self._parser.get_http_version()
        environ["REQUEST_METHOD"] = self._parser.get_method().decode()
        environ["PATH_INFO"], environ["QUERY_STRING"] = parse_target(self._target)
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        environ["REMOTE_ADDR"] = self._peer
        environ["wsgi.input_terminated"] = True
        if version not in {"1.1", "1.0"} or (version == "1.1" and "HTTP_HOST" not in environ):
            self._stop(MalformedRequestError("Send HTTP/1.1, with the header Host."))
        if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
            self._stop(MalformedRequestError("Of the transfer codings only chunked is read."))
        self._phase_bytes = 0
        self._enter(Phase.BODY)
        length = int(environ.get("CONTENT_LENGTH", 0))
        if length > MAX_BODY_BYTES:
            self._stop(too_large())
        has_body = length or "HTTP_TRANSFER_ENCODING" in environ
        if has_body and version == "1.1" and environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self._on_expectation()

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._body += part
        if len(self._body) > MAX_BODY_BYTES:
            self._body.clear()
            self._stop(too_large())

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        environ = self._environ
        environ["wsgi.input"] = BytesIO(self._body)
        keep_alive = environ["SERVER_PROTOCOL"] == "HTTP/1.1" and self._parser.should_keep_alive()
        self._arrive(environ, keep_alive=keep_alive, body_bytes=len(self._body))

    def _arrive(self, environ: dict[str, Any], *, keep_alive: bool, body_bytes: int) -> None:
        overhead = _REQUEST_OVERHEAD + _HEADER_OVERHEAD * self._headers
        size = overhead + self._header_bytes + len(self._target) + body_bytes
        self.arrived.append(ParsedRequest(environ, keep_alive, size))
        self._arrived_bytes += size
        self._forget()
        self.phase = Phase.REQUEST

    def _forget(self) -> None:
        self._environ: dict[str, Any] = {}
        self._target = b""
        self._headers = 0
        self._header_bytes = 0
        self._phase_bytes = 0
        self._body = bytearray()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._on_phase()

    def _stop(self, reason: AuditLogError) -> NoReturn:
        """Leave the parser, from one of its calls; it raises an error of its own, and `reason` tells why."""
        self.reason = reason
        raise reason

    def _refuse_method(self, data: bytes) -> None:
        """A method that llhttp does not know may still have a path, which tells those that it takes."""
        line = _REQUEST_LINE.match(data)
        if line is None:
            self.refuse(self.malformed())
            return
        path, query = parse_target(line[2])
        self._environ = {"REQUEST_METHOD": line[1].decode(), "PATH_INFO": path, "QUERY_STRING": query}
        self.refuse(self.malformed(), BytesIO())


def _nothing() -> None:
    """In place of calls to a connection that is closed."""


def _too_many_headers() -> HeadersTooLargeError:
    return HeadersTooLargeError(f"Send at most {_HEADERS} headers, and at most {_HEAD_BYTES} bytes of them.")
