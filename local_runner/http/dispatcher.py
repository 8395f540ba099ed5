"""Dispatcher: calls the application for complete requests, on the event loop or in the threads of a place."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple

from functions.http.errors import ServerBusyError
from functions.http.route import Place
from local_runner.aws_events.proxy_event import HTTPRequest, HTTPResponse
from local_runner.http.application import Application, Exchange
from local_runner.http.bounded_threads import BoundedThreads
from local_runner.http.connection_limits import ConnectionLimits
from local_runner.http.held_requests import HeldRequests, Task
from local_runner.http.known_heads import KnownHeads
from local_runner.http.parser import ParsedRequest
from local_runner.queue.group_commit import GroupCommit


class Bounds(NamedTuple):
    """Threads of a place, the number of requests that may wait for one, and for how many seconds.

    A request that waited longer is refused as soon as a thread is free.
    """

    threads: int
    waiting: int
    seconds: float


BOUNDS: Final = {
    Place.ACCEPT: Bounds(32, 2048, 5.0),
    Place.ACCEPT_BATCH: Bounds(4, 256, 5.0),
    Place.TOKEN: Bounds(4, 256, 10.0),
    Place.READ: Bounds(4, 256, 10.0),
    Place.ERASE: Bounds(1, 32, 10.0),
    Place.STREAM: Bounds(2, 32, 30.0),
    Place.SEND: Bounds(4, 32, 30.0),
    Place.SIGN_IN: Bounds(4, 256, 10.0),
    Place.CHECK: Bounds(4, 32, 10.0),
    Place.PAGE: Bounds(4, 256, 10.0),
}
"""By place, without the event loop."""

_LARGE_BYTES: Final = 512 * 1024
"""Bodies above this size are handled one at a time: JSON takes up to 25 times its size as Python objects."""

_LARGE_BOUNDS: Final = Bounds(1, 64, 5.0)

_BUSY: Final = "Too many requests of this kind wait, so that this one was not begun: send it again later."


class Dispatcher:
    """Calls the application, on the event loop or in a thread. For uvicorn it is an ASGI application with a lifespan.

    `on_stop` is called after the last response. `waits` says that accepting an event waits for another host, which the
    event loop must not; if it does not wait, it takes less time than handing it to a thread and back. With a `group`
    the events accepted on the event loop are written together at the end of each of its turns.
    `limits` apply to all connections together.
    """

    def __init__(  # noqa: PLR0913 - tests choose bounds, limits and clock
        self,
        application: Application,
        *,
        on_stop: Callable[[], None],
        waits: bool = False,
        group: GroupCommit | None = None,
        limits: ConnectionLimits | None = None,
        bounds: Mapping[Place, Bounds] = BOUNDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.limits: Final = limits or ConnectionLimits()
        self.held: Final = HeldRequests(self._ask_again)
        self.known_heads: Final = KnownHeads()
        self._application = application
        self._bounds = {place: bounds[place] for place in bounds if waits or place is not Place.ACCEPT}
        self._threads = {
            place: BoundedThreads(bound.threads, bound.waiting, place.value) for place, bound in self._bounds.items()
        }
        self._large = BoundedThreads(_LARGE_BOUNDS.threads, _LARGE_BOUNDS.waiting, "large")
        self._group = None if waits else group
        self._on_stop = on_stop
        self._clock = clock

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """ASGI's lifespan protocol; `HTTPProtocol` calls `dispatch` for requests."""
        assert scope["type"] == "lifespan"  # noqa: S101 - uvicorn sends nothing else here
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for threads in (*self._threads.values(), self._large):
            threads.shutdown(wait=False)  # uvicorn has waited for them already
        self._on_stop()
        await send({"type": "lifespan.shutdown.complete"})

    def accept_in_turn(self, parsed: ParsedRequest, send: Callable[[HTTPResponse], None]) -> bool:
        """Handle `POST /event` on the event loop and return True, if accepting waits for nothing.

        Its response goes to `send` when the events of this turn of the event loop are written. For any other request it
        returns False, and the caller passes that to `dispatch`.
        """
        request = parsed.request
        if self._group is None or parsed.error is not None or len(request.body) > _LARGE_BYTES:
            return False
        if self._application.place(request.method, request.path) is not Place.ACCEPT:
            return False
        self._group.hold(partial(self._application.handle, request), send)
        return True

    def dispatch(self, parsed: ParsedRequest) -> tuple[BoundedThreads | None, Task]:
        """Return the executor of a request, None for the event loop, and the call that answers it.

        A refused request waits for nothing, and one whose place is full is refused: both run on the event loop.
        """
        request, error = parsed.request, parsed.error
        if error is not None:
            return None, partial(self._application.answer, request, error)
        place = self._application.place(request.method, request.path)
        threads, bounds = self._threads.get(place), self._bounds.get(place)
        if len(request.body) > _LARGE_BYTES:
            threads, bounds = self._large, _LARGE_BOUNDS
        if threads is None or bounds is None:
            return None, partial(self._application.answer, request)
        if threads.is_full:
            return None, partial(self._application.answer, request, ServerBusyError(_BUSY))
        return threads, partial(self._answer_in_thread, request, self._clock() + bounds.seconds)

    def _ask_again(self, exchange: Exchange) -> tuple[BoundedThreads | None, Task]:
        threads = self._threads[Place.READ]
        return (None, exchange.finish) if threads.is_full else (threads, partial(_ask_again, exchange))

    def _answer_in_thread(self, request: HTTPRequest, deadline: float) -> HTTPResponse | Exchange:
        if self._clock() > deadline:
            return self._application.answer(request, ServerBusyError(_BUSY))
        return _finish_unless_it_waits(self._application.handle(request))


def _ask_again(exchange: Exchange) -> HTTPResponse | Exchange:
    exchange.ask_again()
    return _finish_unless_it_waits(exchange)


def _finish_unless_it_waits(exchange: Exchange) -> HTTPResponse | Exchange:
    return exchange if exchange.long_poll else exchange.finish()
