"""HTTP/1.1 on one connection: requests are answered in their order, in time, and no faster than the client reads.

uvicorn keeps the sockets, TLS, signals and workers, and makes one of these for each connection.
"""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from uvicorn import Config
from uvicorn.server import ServerState

from functions.http.errors import OverloadedError, RequestTimeoutError
from functions.http.limits import MAX_BODY_BYTES
from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.http.codec import encode_response
from local_runner.http.connection_limits import Share
from local_runner.http.parser import Phase, RequestParser

if TYPE_CHECKING:
    from local_runner.http.dispatcher import Dispatcher

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 10.0
"""How long the head of a request may take to arrive, and then its body."""

STOP_SECONDS: Final = 2.0
"""How much of that there is left when the service is asked to stop."""

_IDLE_SECONDS: Final = 75.0
_WRITE_SECONDS: Final = 30.0
_LINGER_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 1.0
_LINGER_BYTES: Final = MAX_BODY_BYTES  # from a client that reads no response before it has sent all
_LOOK_SECONDS: Final = 0.5  # how late a deadline may be noticed: one timer for a connection, not one for each request
_NEVER: Final = float("inf")

_PART_BYTES: Final = 16 * 1024
_ANSWERS: Final = 16
# So much of one connection at a time: a client that sends requests without end is not the only one that is served.

_SMALL_BYTES: Final = 16 * 1024
"""A connection whose requests take less keeps them when the budget is exceeded: refusing them would free little."""

_NO_MEMORY: Final = "The service has no memory left for a request of this size: send it again after a while."
_NO_CONNECTION: Final = "The service has no connection left: send the request again after a while."
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_log = logging.getLogger(__name__)


class HTTPProtocol(asyncio.Protocol):
    """One connection. Requests that are sent ahead wait until those before them are answered."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: object,  # noqa: ARG002 - uvicorn gives it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn calls it; the application of `config` is a `Dispatcher`."""
        self._dispatcher: Dispatcher = config.loaded_app
        self._limits = self._dispatcher.limits
        self._requests = Share(self._limits.requests)
        self._responses = Share(self._limits.responses)
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._unread = b""  # received, and not yet given to the reader
        self._busy = False  # a thread works on a request
        self._busy_bytes = 0  # of that request
        self._writable = True  # the client reads what it is sent
        self._reading = True
        self._closing = False
        self._lingering = False  # what still comes is thrown away, so that the client gets to read the answer
        self._thrown_away = 0  # bytes
        self._phase_started_at = self._loop.time()  # start of the current wait
        self._first = True
        self._stop_at = _NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection of a client."""
        self._transport: Any = transport
        peer = transport.get_extra_info("peername")
        self._parser = RequestParser(peer[0] if peer else "", self._restart_clock, self._ask_for_body)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn lists its own protocols only
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._check_deadline)
        if not self._limits.add(self):
            self._parser.refuse_all(OverloadedError(_NO_CONNECTION))
            self._process()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Release everything. The response of a request that a thread works on is dropped."""
        self._release()

    def evict(self) -> None:
        """See `Evictable`."""
        self._release()
        self._transport.abort()

    @property
    def waiting_since(self) -> float | None:
        """See `Evictable`."""
        return self._phase_started_at if self._waits_for_client() else None

    @property
    def response_bytes(self) -> int:
        """See `Evictable`."""
        return self._responses.held

    def _release(self) -> None:
        """Leave nothing to the garbage collector, which seldom runs here, and nothing in the budgets.

        `_answered` does so for a request that a thread works on.
        """
        self._server.connections.discard(self)
        self._limits.remove(self)
        self._timer.cancel()
        self._closing = True
        self._unread = b""
        self._parser.close()
        self._requests.hold(self._busy_bytes)
        self._responses.hold(0)

    def shutdown(self) -> None:
        """Answer requests in progress for a short while, and then close. uvicorn calls it on a stop."""
        self._stop_at = self._loop.time() + STOP_SECONDS
        self._close_if_idle()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, and answer complete requests."""
        if self._lingering:
            self._thrown_away += len(data)
            if self._thrown_away > _LINGER_BYTES:
                self._transport.abort()
            return
        self._unread = self._unread + data if self._unread else data
        self._process()

    def eof_received(self) -> bool:
        """The client sends no more, and may still read. Returns whether the connection stays open for that."""
        if self._lingering:
            return False
        if self._parser.phase is Phase.BODY and not self._parser.ended:
            self._parser.refuse(self._parser.malformed())
        self._parser.ended = True
        self._process()
        return (self._busy or self._parser.has_request) and bool(self._transport.can_write_eof())

    def pause_writing(self) -> None:
        """The client does not read its answers: no further one is made."""
        self._writable = False
        self._restart_clock()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._writable = True
        self._responses.hold(0)
        self._restart_clock()
        self._process()

    def _process(self) -> None:
        """Alternate between answering requests and parsing bytes until either has to wait."""
        parser = self._parser
        for _ in range(_ANSWERS):
            if self._busy or self._closing or self._lingering or not self._writable:
                break
            if parser.has_request:
                self._answer()
            elif self._unread and not parser.ended:
                part, self._unread = self._unread[:_PART_BYTES], self._unread[_PART_BYTES:]
                parser.feed(part)
            else:
                self._close_if_idle()
                break
        else:
            self._loop.call_soon(self._process)  # after other connections
        self._pause_or_resume()

    def _bound_requests(self) -> None:
        """Account for the requests held here, and refuse them if all connections together hold too much."""
        waiting = self._parser.held + len(self._unread)
        self._requests.hold(waiting + self._busy_bytes)
        if waiting > _SMALL_BYTES and self._limits.requests.exceeded:
            self._unread = b""
            self._parser.refuse_all(OverloadedError(_NO_MEMORY))
            self._requests.hold(self._parser.held + self._busy_bytes)
            self._loop.call_soon(self._process)

    def _pause_or_resume(self) -> None:
        waits = self._busy or not self._writable or self._parser.has_request or bool(self._unread)
        waits = waits and not self._lingering  # what still comes is thrown away
        if waits or self._requests.held or self._parser.phase is not Phase.REQUEST:
            self._bound_requests()
        if self._reading is waits and not self._closing:
            self._reading = not waits
            if self._reading:
                self._restart_clock()
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _answer(self) -> None:
        parsed = self._parser.take()
        executor, task = self._dispatcher.dispatch(parsed)
        if executor is None:
            self._send(task(), keep_alive=parsed.keep_alive)
        else:
            self._busy, self._busy_bytes = True, parsed.size
            future = self._loop.run_in_executor(executor, task)
            future.add_done_callback(partial(self._answered, keep_alive=parsed.keep_alive))

    def _answered(self, future: "asyncio.Future[HTTPResponse]", *, keep_alive: bool) -> None:
        self._busy, self._busy_bytes = False, 0
        self._bound_requests()
        if future.cancelled() or (error := future.exception()):
            _log.error("request_failed", exc_info=None if future.cancelled() else error)
            self._transport.abort()
        elif not self._closing:
            self._send(future.result(), keep_alive=keep_alive)
            self._process()

    def _send(self, response: HTTPResponse, *, keep_alive: bool) -> None:
        last = not self._parser.has_request and (self._parser.ended or self._stop_at is not _NEVER)
        keep_alive = keep_alive and not last
        content = encode_response(response, self._server.default_headers, keep_alive=keep_alive)
        self._transport.write(content)
        if not self._writable:
            self._responses.hold(len(content))
            if self._limits.responses.exceeded:
                self._limits.bound_responses()
        self._first = False
        if keep_alive:
            if self._parser.phase is Phase.REQUEST:
                self._restart_clock()
        elif self._parser.reason is None or self._stop_at is not _NEVER:
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close later: closed at once, with bytes unread, the answer may never arrive (RFC 9112 section 9.6)."""
        self._lingering = True
        self._unread = b""
        self._restart_clock()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _close(self) -> None:
        self._closing = True
        self._restart_clock()
        self._transport.close()

    def _close_if_idle(self) -> None:
        """Close if the last answer was sent, or none is asked for and the service stops."""
        stops = self._parser.ended or (self._stop_at is not _NEVER and self._parser.phase is Phase.REQUEST)
        if stops and not (self._busy or self._lingering or self._closing or self._parser.has_request or self._unread):
            self._close()

    def _ask_for_body(self) -> None:
        if not (self._busy or self._parser.has_request):  # the response to an earlier request has to be sent first
            self._transport.write(_CONTINUE)

    def _restart_clock(self) -> None:
        self._phase_started_at = self._loop.time()

    def _check_deadline(self) -> None:
        """Is anything late?"""
        if self._loop.time() >= self._deadline():
            self._on_timeout()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._check_deadline)

    def _deadline(self) -> float:
        if self._closing or self._lingering or not self._writable:
            return self._phase_started_at + self._close_timeout()
        if not self._waits_for_client():
            return _NEVER
        phase = self._parser.phase
        if phase is Phase.REQUEST and not self._first:
            return self._phase_started_at + _IDLE_SECONDS
        return min(self._phase_started_at + (BODY_SECONDS if phase is Phase.BODY else HEAD_SECONDS), self._stop_at)

    def _waits_for_client(self) -> bool:
        waited_for = self._busy or self._parser.has_request
        return self._closing or self._lingering or not self._writable or not waited_for

    def _close_timeout(self) -> float:
        if self._lingering:
            return _LINGER_SECONDS
        if self._closing and not self._transport.get_write_buffer_size():
            return _CLOSE_SECONDS  # TLS waits for the other side to say good-bye
        return _WRITE_SECONDS

    def _on_timeout(self) -> None:
        phase = self._parser.phase
        if self._closing or self._lingering or not self._writable:
            self._transport.abort()
        elif phase is Phase.REQUEST:
            self._close()
        else:
            seconds = BODY_SECONDS if phase is Phase.BODY else HEAD_SECONDS
            self._parser.refuse(RequestTimeoutError(f"Not sent within {seconds:.0f} seconds: {phase.value}."))
            self._process()
