"""HTTP/1.1 on one connection: a request is complete and in time when the application sees it, or it is refused.

uvicorn keeps the sockets and llhttp, through httptools, does the parsing (RFC 9112), in its strict mode: what two
readers could take differently is no request. What is left is here: limits, times, and the order of answers.
"""

import asyncio
import re
from collections import deque
from io import BytesIO, RawIOBase
from typing import Any, Final

import httptools
from uvicorn import Config
from uvicorn.server import ServerState

from core.errors import AuditLogError
from functions.http import HeadersTooLargeError, MalformedRequestError, PathTooLongError, RequestTimeoutError
from local_runner.front import Answer, Front
from local_runner.gateway import MAX_BODY_BYTES, too_large
from local_runner.wire import Refused, header_key, response, target

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 10.0
"""How long the head of a request may take to arrive, and then its body."""

_IDLE_SECONDS: Final = 75.0
_WRITE_SECONDS: Final = 30.0
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 4 * 1024 * 1024
_LOOK_SECONDS: Final = 1.0  # how late a deadline may be noticed: one timer for a connection, not one for each request
_NEVER: Final = float("inf")

_HEAD_BYTES: Final = 64 * 1024
_HEADERS: Final = 100
_VERSIONS: Final = ("1.1", "1.0")
_REQUEST_LINE: Final = re.compile(rb"([!#-'*+.0-9A-Z^-z|~-]+) ([!-~]+) HTTP/1\.[01]\r?\n")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection. Requests that are sent ahead wait until those before them are answered."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: object,  # noqa: ARG002 - uvicorn gives it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it; the application of `config` is a `Front`."""
        self._front: Front = config.loaded_app
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._complete: deque[tuple[dict[str, Any], bool]] = deque()  # environ, and whether the connection stays
        self._busy = False  # a thread works on a request
        self._ending = False  # no further request is taken
        self._lingering = False  # what still comes is thrown away, so that the client gets to read the answer
        self._thrown_away = 0  # bytes
        self._reason: AuditLogError | None = None  # why the parser was stopped
        self._begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport: Any = transport
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn lists its own protocols only
        self._deadline = self._loop.time() + HEAD_SECONDS
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It is gone; what a thread still works on has nobody to be sent to."""
        self._server.connections.discard(self)
        self._timer.cancel()
        self._ending = True
        self._complete.clear()
        self._parser = None  # the two hold each other

    def shutdown(self) -> None:
        """Finish what has begun to arrive, and then close. uvicorn asks for it when it stops."""
        self._ending = True
        if not (self._busy or self._in_body or self._lingering):
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the parser, which calls the methods named `on_`."""
        if self._lingering:
            self._thrown_away += len(data)
            if self._thrown_away > _LINGER_BYTES:
                self._transport.abort()
            return
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ending = True  # answered like any other; what follows would be of another protocol
        except httptools.HttpParserInvalidMethodError:
            self._refuse_method(data)
        except httptools.HttpParserError:
            self._refuse(self._reason or self._malformed())
        else:
            if not self._in_body and self._head_bytes > _HEAD_BYTES:
                self._refuse(_too_much_head(any_header=bool(self._environ)))
        self._serve()

    def eof_received(self) -> bool:
        """The client sends no more, and may still read. Returns whether the connection stays open for that."""
        if self._in_body and not self._lingering:
            self._refuse(self._malformed())
            self._serve()
        self._ending = True
        return (self._busy or self._lingering) and bool(self._transport.can_write_eof())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin()
        self._deadline = self._loop.time() + HEAD_SECONDS

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        self._target += part
        if len(self._target) > _HEAD_BYTES:
            self._stop(_too_much_head(any_header=False))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody here reads and which must not pass for a header."""
        if self._in_body:
            self._stop(self._malformed())
        self._headers += 1
        self._header_bytes += len(name) + len(value)
        if self._headers > _HEADERS or self._header_bytes > _HEAD_BYTES:
            self._stop(_too_much_head(any_header=True))
        key, text = header_key(name), value.rstrip().decode("latin-1")
        self._environ[key] = f"{self._environ[key]}, {text}" if key in self._environ else text

    def on_headers_complete(self) -> None:
        """The head is there: what it says makes the WSGI environ (PEP 3333), as far as the application reads it."""
        version, environ = self._parser.get_http_version(), self._environ
        if version not in _VERSIONS:
            self._stop(MalformedRequestError("Send HTTP/1.1."))
        path, query = target(self._target)
        environ["REQUEST_METHOD"] = self._parser.get_method().decode()
        environ["PATH_INFO"] = path
        environ["QUERY_STRING"] = query
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        environ["REMOTE_ADDR"] = self._peer
        environ["wsgi.input_terminated"] = True
        self._in_body = True
        self._deadline = self._loop.time() + BODY_SECONDS
        if int(environ.get("CONTENT_LENGTH", 0)) > MAX_BODY_BYTES:
            self._stop(too_large())
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self._transport.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._body.append(part)
        self._body_bytes += len(part)
        if self._body_bytes > MAX_BODY_BYTES:
            self._body.clear()
            self._stop(too_large())

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._environ["wsgi.input"] = BytesIO(b"".join(self._body))
        self._complete.append((self._environ, self._parser.should_keep_alive()))
        self._begin()

    def pause_writing(self) -> None:
        """The client does not read its answers: nothing more is read from it."""
        self._transport.pause_reading()
        self._deadline = self._loop.time() + _WRITE_SECONDS

    def resume_writing(self) -> None:
        """It does again."""
        if not (self._busy or self._lingering):
            self._deadline = self._loop.time() + _IDLE_SECONDS
            self._transport.resume_reading()

    def _begin(self) -> None:
        self._environ: dict[str, Any] = {}
        self._target = b""
        self._headers = 0
        self._header_bytes = 0
        self._head_bytes = 0
        self._in_body = False
        self._body: list[bytes] = []
        self._body_bytes = 0

    def _serve(self) -> None:
        """Answer what is complete, in its order."""
        while self._complete and not self._busy:
            environ, stays = self._complete.popleft()
            threads = self._front.threads(environ)
            if threads is None:
                self._send(self._front.answer(environ), stays=stays)
            else:
                self._busy = True
                self._deadline = _NEVER
                self._transport.pause_reading()
                future = self._loop.run_in_executor(threads, self._front.answer, environ)
                future.add_done_callback(lambda done, stays=stays: self._answered(done, stays=stays))  # type: ignore[misc]  # mypy cannot infer defaults

    def _answered(self, future: "asyncio.Future[Answer]", *, stays: bool) -> None:
        self._busy = False
        if self._parser is None:
            return
        self._send(future.result(), stays=stays)
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._serve()

    def _send(self, answer: Answer, *, stays: bool) -> None:
        stays = stays and not (self._ending and not self._complete)
        self._deadline = self._loop.time() + _IDLE_SECONDS
        self._transport.write(response(answer, self._server.default_headers, stays=stays))
        if not stays:
            self._ending = True
            self._complete.clear()
            if self._reason is None:
                self._transport.close()
            else:
                self._linger()

    def _linger(self) -> None:
        """Close later: closed at once, with bytes unread, the answer may never arrive (RFC 9112 section 9.6)."""
        self._lingering = True
        self._deadline = self._loop.time() + _LINGER_SECONDS
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _stop(self, reason: AuditLogError) -> None:
        """Leave the parser, from one of its calls: what it raises there is known by `_reason`."""
        self._reason = reason
        raise reason

    def _refuse(self, reason: AuditLogError, body: RawIOBase | BytesIO | None = None) -> None:
        """In place of the rest of the request: the application is given what came, and refuses it where it reads."""
        self._reason = reason
        self._ending = True
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input_terminated": True, **self._environ}
        environ["wsgi.input"] = body or Refused(reason)
        environ.pop("CONTENT_LENGTH", None)  # so much will not come
        self._complete.append((environ, False))
        self._begin()

    def _refuse_method(self, data: bytes) -> None:
        """A method that llhttp does not know may still have a path, which tells those that it takes."""
        line = _REQUEST_LINE.match(data)
        if line is None:
            self._refuse(self._malformed())
            return
        path, query = target(line[2])
        self._environ = {"REQUEST_METHOD": line[1].decode(), "PATH_INFO": path, "QUERY_STRING": query}
        self._refuse(self._malformed(), BytesIO())

    def _malformed(self) -> MalformedRequestError:
        if self._in_body:
            return MalformedRequestError("The body broke off, or its chunks are malformed or have trailers.")
        return MalformedRequestError("The request line or a header is not HTTP/1.1, or could be read in two ways.")

    def _look(self) -> None:
        """Is anything late?"""
        if self._loop.time() >= self._deadline:
            self._too_late()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _too_late(self) -> None:
        if self._lingering or self._transport.get_write_buffer_size():
            self._transport.abort()
        elif self._in_body:
            self._refuse(RequestTimeoutError(f"The body did not arrive within {BODY_SECONDS:.0f} seconds."))
        elif self._head_bytes:
            self._refuse(RequestTimeoutError(f"The head did not arrive within {HEAD_SECONDS:.0f} seconds."))
        else:
            self._transport.close()
        self._serve()


def _too_much_head(*, any_header: bool) -> AuditLogError:
    if not any_header:
        return PathTooLongError(f"The path and query have more than {_HEAD_BYTES} bytes: send less.")
    return HeadersTooLargeError(f"Send at most {_HEADERS} headers, and at most {_HEAD_BYTES} bytes of them.")
