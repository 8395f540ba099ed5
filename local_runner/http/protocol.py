"""HTTP/1.1 on one connection: requests are answered in their order, in time, and no faster than the client reads.

uvicorn keeps the sockets, TLS, signals and workers, and makes one of these for each connection.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from uvicorn import Config
from uvicorn.server import ServerState

from functions.http.errors import OverloadedError
from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.http.application import Exchange
from local_runner.http.bounded_threads import BoundedThreads
from local_runner.http.deadlines import Deadlines, Wait, timeout_error
from local_runner.http.held_requests import HeldRequest, Task
from local_runner.http.incoming import SMALL_BYTES, Incoming
from local_runner.http.outgoing import Outgoing
from local_runner.http.parser import Phase, RequestParser

if TYPE_CHECKING:
    from local_runner.http.dispatcher import Dispatcher

_ANSWERS: Final = 16  # of one connection at a time: a client that sends requests without end is not alone

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
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._busy = False  # a request is handled, and its response was not sent
        self._held = False  # that request waits without a thread: for the end of the event loop's turn, or longer
        self._long_poll: HeldRequest | None = None
        self._keep_alive = False  # after that request
        self._at_eof = False  # the client sends no more, or has died
        self._reading = True
        self._first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection of a client."""
        self._transport: Any = transport
        self._out = Outgoing(transport, self._limits)
        peer = transport.get_extra_info("peername")
        self._parser = RequestParser(peer[0] if peer else "", self._ask_for_body, self._dispatcher.known_heads)
        self._in = Incoming(self._parser, self._limits)
        # Not before: in a turn of the event loop that takes long, a timer of `__init__` would come before this call.
        self._deadlines = Deadlines(self._loop, self._waits_for, self._on_timeout)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn lists its own protocols only
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
        return None if self._waits_for() is Wait.NOTHING else self._deadlines.started_at

    @property
    def response_bytes(self) -> int:
        """See `Evictable`."""
        return self._out.used_bytes

    def _release(self) -> None:
        """Leave nothing to the garbage collector, which seldom runs here, and nothing in the budgets.

        `_answered` does so for a request that a thread works on.
        """
        if self._long_poll:
            self._long_poll.drop()
            self._long_poll = None
        self._server.connections.discard(self)
        self._limits.remove(self)
        self._deadlines.cancel()
        self._out.release()
        self._in.release()

    def shutdown(self) -> None:
        """Answer requests in progress for a short while, and then close. uvicorn calls it on a stop."""
        self._deadlines.stop()
        if self._long_poll:
            self._long_poll.answer()
        self._close_if_idle()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes, and answer complete requests."""
        if self._out.lingering:
            self._out.discard(len(data))
            return
        self._in.receive(data)
        self._process()

    def eof_received(self) -> bool:
        """The client sends no more, and may still read. Returns whether the connection stays open for that."""
        if self._out.lingering:
            return False
        if self._parser.phase is Phase.BODY and not self._parser.ended:
            self._parser.refuse(self._parser.malformed())
        self._parser.ended = self._at_eof = True
        if self._long_poll:
            self._long_poll.answer()
        self._process()
        return bool((self._busy or self._parser.parsed) and self._transport.can_write_eof())

    def pause_writing(self) -> None:
        """The client does not read its answers: no further one is made."""
        self._out.writable = False
        self._deadlines.restart()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._out.resume()
        self._deadlines.restart()
        self._process()

    def _process(self) -> None:
        """Alternate between answering requests and parsing bytes until either has to wait."""
        parser = self._parser
        for _ in range(_ANSWERS):
            if self._busy or not self._out.open:
                break
            if parser.parsed:
                self._answer()
            elif self._in.unread and not parser.ended:
                phases = parser.phases
                self._in.parse()
                if parser.phases != phases:
                    self._deadlines.restart()
            else:
                self._close_if_idle()
                break
        else:
            self._loop.call_soon(self._process)  # after other connections
        self._pause_or_resume()

    def _bound_requests(self) -> None:
        if self._in.bound():
            self._loop.call_soon(self._process)

    def _pause_or_resume(self) -> None:
        # A held response leaves soon, or waits for events: then reading shows that a connection is lost.
        waits = (
            (self._busy and not self._held) or not self._out.writable or bool(self._parser.parsed or self._in.unread)
        )
        waits = waits and not self._out.lingering  # further bytes are discarded
        if waits or self._in.used_bytes or self._parser.phase is not Phase.REQUEST:
            self._bound_requests()
        if self._reading is waits and not self._out.closing:
            self._reading = not waits
            if self._reading:
                self._deadlines.restart()
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _answer(self) -> None:
        parsed = self._parser.take()
        self._keep_alive = parsed.keep_alive
        if self._dispatcher.accept_in_turn(parsed, self._deliver_later):
            self._busy = self._held = True
            self._in.busy_bytes = parsed.size if parsed.size > SMALL_BYTES else 0
            return
        self._in.busy_bytes = parsed.size
        self._run(*self._dispatcher.dispatch(parsed))

    def _run(self, executor: BoundedThreads | None, task: Task) -> None:
        if executor is None:
            self._deliver(task())
        else:
            self._busy, self._held = True, False
            future = self._loop.run_in_executor(executor, task)
            future.add_done_callback(self._answered)

    def _answered(self, future: "asyncio.Future[HTTPResponse | Exchange]") -> None:
        if future.cancelled() or (error := future.exception()):
            self._end_request()
            _log.error("request_failed", exc_info=None if future.cancelled() else error)
            self._transport.abort()
        else:
            self._deliver_later(future.result())

    def _deliver_later(self, answer: HTTPResponse | Exchange) -> None:
        self._deliver(answer)
        if not self._out.closing and (self._in.unread or self._parser.parsed or not self._reading):
            self._process()

    def _deliver(self, answer: HTTPResponse | Exchange) -> None:
        if isinstance(answer, Exchange):
            if self._hold(answer):
                return
            answer = answer.finish()
        self._end_request()
        if not self._out.closing:
            self._send(answer)

    def _hold(self, exchange: Exchange) -> bool:
        """Hold a request for a better answer, if the client still waits for one; return whether it does."""
        if not (self._out.closing or self._at_eof or self._deadlines.stopping):
            self._long_poll = self._dispatcher.held.hold(exchange, self._resume)
        self._held = self._long_poll is not None
        return self._held

    def _resume(self, executor: BoundedThreads | None, task: Task) -> None:
        """Continue with a request that was held."""
        self._long_poll = None
        self._run(executor, task)
        self._process()

    def _end_request(self) -> None:
        self._busy = self._held = False
        if self._in.busy_bytes:
            self._in.busy_bytes = 0
            self._bound_requests()

    def _send(self, response: HTTPResponse) -> None:
        last = not self._parser.parsed and (self._parser.ended or self._deadlines.stopping)
        keep_alive = self._keep_alive and not last
        self._out.send(response, self._server.default_headers, keep_alive=keep_alive)
        self._first = False
        if keep_alive:
            if self._parser.phase is Phase.REQUEST:
                self._deadlines.restart()
        elif self._parser.reason is None or self._deadlines.stopping:
            self._close()
        else:
            self._in.unread = b""
            self._out.linger()
            self._deadlines.restart()

    def _close(self) -> None:
        self._out.close()
        self._deadlines.restart()

    def _close_if_idle(self) -> None:
        """Close if the last answer was sent, or none is asked for and the service stops."""
        stops = self._parser.ended or (self._deadlines.stopping and self._parser.phase is Phase.REQUEST)
        if stops and not (
            self._busy or self._out.lingering or self._out.closing or self._parser.parsed or self._in.unread
        ):
            self._close()

    def _ask_for_body(self) -> None:
        if not (self._busy or self._parser.parsed):  # the response to an earlier request has to be sent first
            self._transport.write(_CONTINUE)

    def _waits_for(self) -> Wait:
        if not self._out.open:
            return self._out.waits_for()
        if self._busy or self._parser.parsed:
            return Wait.NOTHING
        phase = self._parser.phase
        if phase is Phase.REQUEST:
            return Wait.FIRST_REQUEST if self._first else Wait.NEXT_REQUEST
        return Wait.HEAD if phase is Phase.HEAD else Wait.BODY

    def _on_timeout(self, wait: Wait) -> None:
        if wait in {Wait.LINGER, Wait.CLOSE, Wait.READER}:
            self._transport.abort()
        elif wait in {Wait.FIRST_REQUEST, Wait.NEXT_REQUEST}:
            self._close()
        else:
            self._parser.refuse(timeout_error(wait))
            self._process()
