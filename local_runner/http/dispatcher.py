"""The front of the server: what it hands a complete request to, and where that is worked on."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import monotonic
from typing import Any, Final, NamedTuple

from functions.http.errors import ServerBusyError
from functions.http.route import Place
from local_runner.http.application import REFUSAL, Application
from local_runner.http.bounded_threads import BoundedThreads
from local_runner.http.codec import FailingBody
from local_runner.http.connection_limits import ConnectionLimits

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""


class Bounds(NamedTuple):
    """How many threads a place has, how many requests may wait for one, and for how many seconds before it is too late.

    What waits in front of threads that all hang is refused as soon as one of them is free again.
    """

    threads: int
    waiting: int
    seconds: float


BOUNDS: Final = {
    # So many can have their answer by one sync of the spool. More would help a slower disk; on a fast one they cost
    # more, by taking turns at the interpreter's lock.
    Place.ACCEPT: Bounds(32, 2048, 5.0),
    Place.ACCEPT_BATCH: Bounds(4, 256, 5.0),
    Place.TOKEN: Bounds(4, 256, 10.0),
    Place.READ: Bounds(4, 256, 10.0),
    Place.CHECK: Bounds(4, 32, 10.0),
    Place.PAGE: Bounds(4, 256, 10.0),
}
"""Of the places that are not the event loop."""

_BEGIN_UNTIL: Final = "audit_log.begin_until"
_BUSY: Final = "Too many requests of this kind wait, so that this one was not begun: send it again later."


class Dispatcher:
    """Calls the WSGI application, on the event loop or in a thread. uvicorn sees an application that starts and stops.

    `on_stop` is called once the last request is answered. `waits` says that accepting an event asks another host or
    waits for a disk, for which the event loop has no time; where it does not wait, it takes less time than handing it
    to a thread and back. `limits` hold for all connections together.
    """

    def __init__(  # noqa: PLR0913 - tests pass bounds, limits and a clock
        self,
        application: Application,
        *,
        on_stop: Callable[[], None],
        waits: bool = False,
        bounds: Mapping[Place, Bounds] = BOUNDS,
        clock: Callable[[], float] = monotonic,
        limits: ConnectionLimits | None = None,
    ) -> None:
        self.limits: Final = limits or ConnectionLimits()
        self._application = application
        self._bounds = {place: bounds[place] for place in bounds if waits or place is not Place.ACCEPT}
        self._threads = {
            place: BoundedThreads(bound.threads, bound.waiting, place.value) for place, bound in self._bounds.items()
        }
        self._on_stop = on_stop
        self._clock = clock

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """ASGI's lifespan protocol; requests come by `local_runner.http.protocol`."""
        assert scope["type"] == "lifespan"  # noqa: S101 - there is no other way here
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for threads in self._threads.values():
            threads.shutdown()
        self._on_stop()
        await send({"type": "lifespan.shutdown.complete"})

    def executor_for(self, environ: MutableMapping[str, Any]) -> BoundedThreads | None:
        """Where a request is to be answered; None: right on the event loop. So is one that finds its place full."""
        place = self._application.place(environ)
        threads = self._threads.get(place)
        if isinstance(environ["wsgi.input"], FailingBody):
            return None  # it waits for nothing, and must not wait for a thread while the service has too much to do
        if threads is not None:
            if threads.is_full:
                environ[REFUSAL] = ServerBusyError(_BUSY)
                return None
            environ[_BEGIN_UNTIL] = self._clock() + self._bounds[place].seconds
        return threads

    def answer(self, environ: MutableMapping[str, Any]) -> Answer:
        """Call the application."""
        if _BEGIN_UNTIL in environ and self._clock() > environ[_BEGIN_UNTIL]:
            environ[REFUSAL] = ServerBusyError(_BUSY)
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started.append((int(status[:3]), headers))

        body = b"".join(self._application(environ, start_response))
        return (*started[0], body)
