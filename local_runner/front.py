"""The front of the server: what it hands a complete request to, and where that is worked on."""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from local_runner.app import Application

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""

_THREADS: Final = 4
# Of those that accept events where that waits: so many can have their answer by one sync of the spool. More would help
# a slower disk; on a fast one they cost more, by taking turns at the interpreter's lock.
_ACCEPTING_THREADS: Final = 32
# Where accepting one event does not wait, it takes less time than handing it to a thread and back. All else may wait
# for the store, or has a body of megabytes to read.
_ACCEPTING: Final = ("POST", "/event")


class Front:
    """Calls the WSGI application, on the event loop or in a thread. uvicorn sees an application that starts and stops.

    `on_stop` is called once the last request is answered. `waits` says that accepting an event asks another host or
    waits for a disk, for which the event loop has no time.
    """

    def __init__(self, application: Application, *, on_stop: Callable[[], None], waits: bool = False) -> None:
        self._application = application
        self._accepting = ThreadPoolExecutor(_ACCEPTING_THREADS, thread_name_prefix="accepting") if waits else None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="handler")
        self._on_stop = on_stop

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """ASGI's lifespan protocol; requests come by `local_runner.http1`."""
        assert scope["type"] == "lifespan"  # noqa: S101 - there is no other way here
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._threads.shutdown()
        if self._accepting:
            self._accepting.shutdown()
        self._on_stop()
        await send({"type": "lifespan.shutdown.complete"})

    def threads(self, environ: Mapping[str, Any]) -> ThreadPoolExecutor | None:
        """Where a request is to be answered; None: right on the event loop."""
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == _ACCEPTING:
            return self._accepting
        return self._threads

    def answer(self, environ: Mapping[str, Any]) -> Answer:
        """Call the application."""
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started.append((int(status[:3]), headers))

        body = b"".join(self._application(environ, start_response))
        return (*started[0], body)
