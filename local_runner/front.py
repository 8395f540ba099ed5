"""The front of the server: reads a whole request without tying up a thread, then calls the WSGI application.

Under WSGI a thread waits for the body, so that a handful of slow clients stops the service for all. Here the event loop
waits, and not for ever; what the application is called with is complete, or over a limit that it refuses.

granian's own protocol: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, NoReturn

from granian._granian import RSGIHTTPProtocol as HTTPProtocol
from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian.rsgi import Scope

from core.errors import AuditLogError, EventTooLargeError
from functions.http import MalformedRequestError, RequestTimeoutError
from local_runner.app import Application
from local_runner.gateway import MAX_BODY_BYTES, too_large

BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive."""

_THREADS: Final = 4
# Of those that accept events where that waits: so many can have their answer by one sync of the spool. More would help
# a slower disk; on a fast one they cost more, by taking turns at the interpreter's lock.
_ACCEPTING_THREADS: Final = 32
# Where accepting one event does not wait, it takes less time than handing it to a thread and back. All else may wait
# for the store, or has a body of megabytes to read.
_ACCEPTING: Final = ("POST", "/event")
# Stands for a value that granian does not give, so that the header is refused where it is read, not taken as missing.
_NOT_ASCII: Final = "\N{REPLACEMENT CHARACTER}"


class Front:
    """An RSGI application around the WSGI one.

    `on_start` is called when the loop runs, and so hears signals; `on_stop` once the last one is answered.
    `waits` says that accepting an event asks another host or waits for a disk, for which the event loop has no time.
    """

    def __init__(
        self,
        application: Application,
        *,
        on_start: Callable[[], None],
        on_stop: Callable[[], None],
        waits: bool = False,
    ) -> None:
        self._application = application
        self._accepting = ThreadPoolExecutor(_ACCEPTING_THREADS, thread_name_prefix="accepting") if waits else None
        self._on_start = on_start
        self._on_stop = on_stop
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="handler")

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        environ = _environ(scope)
        environ["wsgi.input"] = await _body(environ, protocol)
        threads = self._accepting if (scope.method, scope.path) == _ACCEPTING else self._threads
        if threads is None:
            answer = self._answer(environ)
        else:
            answer = await asyncio.get_running_loop().run_in_executor(threads, self._answer, environ)
        protocol.response_bytes(*answer)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start, in the worker: the first thing that its loop does."""
        loop.call_soon(self._on_start)

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Stop, in the worker, when its last request is answered."""
        self._threads.shutdown()
        if self._accepting:
            self._accepting.shutdown()
        self._on_stop()

    def _answer(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started.append((int(status[:3]), headers))

        body = b"".join(self._application(environ, start_response))
        status, headers = started[0]
        # granian names itself unless there is another name, and knows no way to give none.
        return status, [*headers, ("Server", "audit-log")], body


class _Refused(io.RawIOBase):
    """In place of a body: refused where the application reads it, like one that is too large.

    The error is made there. One that was kept here would keep, by its traceback, the request and its half-read body:
    neither could the connection be closed nor the service be stopped before the garbage collector comes by.
    """

    def __init__(self, error: Callable[[], AuditLogError]) -> None:
        self._error = error

    def read(self, _size: int = -1) -> NoReturn:
        raise self._error()


def _timed_out() -> RequestTimeoutError:
    return RequestTimeoutError(f"The body did not arrive within {BODY_SECONDS:.0f} seconds.")


def _broken_off() -> MalformedRequestError:
    return MalformedRequestError("The body broke off, or its chunks are malformed or have trailers.")


async def _body(environ: dict[str, Any], protocol: HTTPProtocol) -> io.IOBase:
    length = environ.get("CONTENT_LENGTH")
    if length is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return io.BytesIO()
    if length is not None and int(length) > MAX_BODY_BYTES:
        return io.BytesIO()  # the application refuses it by its length
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return io.BytesIO(await protocol() if length is not None else await _chunked(protocol))
    except TimeoutError:
        return _Refused(_timed_out)
    except ProtocolClosed:
        return _Refused(_broken_off)
    except EventTooLargeError:
        return _Refused(too_large)


async def _chunked(protocol: HTTPProtocol) -> bytearray:
    """A body whose length is not known before its end.

    Raises:
        EventTooLargeError: it goes on beyond the limit; no more of it is read, and nothing kept.
        ProtocolClosed: it broke off, or is no chunked body; what came of it must not pass for the whole.
    """
    body = bytearray()
    ends = 0
    async for chunk in protocol:
        body += chunk
        ends += not chunk
        if len(body) > MAX_BODY_BYTES:
            body.clear()  # megabytes that nobody needs while the refusal waits for its turn
            raise too_large()
    if ends > 1:  # granian gives an empty chunk at the end, and one more for what it could not read, such as trailers
        raise ProtocolClosed
    return body


def _environ(scope: Scope) -> dict[str, Any]:
    """The WSGI environ (PEP 3333), as far as the application reads it."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path if scope.path.isascii() else scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "wsgi.input_terminated": True,
    }
    headers = scope.headers
    readable = headers.items()
    for name, value in readable:
        key = _key(name)
        environ[key] = f"{environ[key]}, {value}" if key in environ else value
    for name in set(headers.keys()).difference(name for name, _ in readable):
        environ[_key(name)] = _NOT_ASCII
    return environ


@lru_cache(maxsize=256)
def _key(header: str) -> str:
    if "_" in header:
        return "_"  # read by nobody: with its own key it would pass for the header with a hyphen
    key = header.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
