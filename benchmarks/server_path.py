"""The way of a request through the server without sockets, on many connections, up to where a part stops it.

The queue keeps nothing. Times are those of the processor, in turns of one event loop.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import uvloop
from pydantic import SecretStr

from core.settings import Settings
from core.wiring import Services
from functions.http.response import Response
from functions.http.route import Place, Route, Tag
from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.background.management import ManagementServer
from local_runner.http.application import Application
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.protocol import HTTPProtocol
from local_runner.queue.group_commit import GroupCommit
from local_runner.queue.visibility import Staged
from local_runner.telemetry.tracing import NoTracing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from core.domain.models import Event
    from functions.http.handler import Handler, Operation
    from functions.http.request import ProxyEvent, Request
    from functions.http.response import ProxyResponse

CONNECTIONS: Final = 64
TOKENS: Final = 100
_SECRET: Final = secrets.token_urlsafe(48)
_DEFAULTS: Final = [(b"date", b"Tue, 24 Nov 2026 20:00:00 GMT"), (b"server", b"audit-log")]
_ANSWER: Final = b'{"event_id":"0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f","status":"queued"}'
RESPONSE: Final = Response(202, _ANSWER, headers={"Location": "/event/0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f"})
_PROXY: Final = RESPONSE.to_proxy("0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f")
_HTTP: Final = HTTPResponse(202, [*_PROXY["headers"].items()], _ANSWER)


class _NoQueue:
    """Takes events and keeps none."""

    def stage(self, events: Sequence[Event], traceparent: str | None = None) -> Staged:
        return Staged([event.to_json() for event in events], 0, traceparent)

    def commit(self, staged: Sequence[Staged]) -> None:
        """Write nothing."""


class NoHandler(NoTracing):
    """Stops before the handler."""

    def handler(self, _handler: Handler) -> Handler:
        """Implement `Tracing.handler`: answer 202 at once."""
        return _answered


class _NoApplication:
    """Stops behind the parser."""

    def place(self, _method: str, _path: str) -> Place:
        return Place.ACCEPT

    def handle(self, *_: object) -> _NoApplication:
        return self

    def finish(self, _error: Exception | None = None) -> HTTPResponse:
        return _HTTP


class _Transport:
    """A socket that takes all."""

    status = 0

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        return ("127.0.0.1", 1) if name == "peername" else None

    def write(self, content: bytes) -> None:
        self.status = int(content[9:12])

    def pause_reading(self) -> None:
        """Read nothing more."""

    def resume_reading(self) -> None:
        """Read on."""


def _answered(_event: ProxyEvent, _context: object) -> ProxyResponse:
    return _PROXY


def nothing(_request: Request, _services: Services) -> Response:
    """Accept a request without looking at it."""
    return RESPONSE


class ServerPath:
    """The way of a request on 64 connections, up to where an application or an operation stops it."""

    def __init__(
        self,
        path: str,
        operation: Operation | None,
        tracing: NoTracing | None = None,
        catalogue: Path | None = None,
    ) -> None:
        """Serve `operation` at `path`; None: the way ends behind the parser."""
        management = ManagementServer()
        group = GroupCommit(_NoQueue(), in_thread=False)
        self._services = Services(
            Settings(jwt_secret=SecretStr(_SECRET), catalogue=catalogue),
            publisher=group,
            commit_group=group,
            meter=management.meter,
        )
        route = Route("POST", path, Tag.EVENTS, Place.ACCEPT, operation or nothing, "", {})
        application: Any = _NoApplication()
        if operation:
            application = Application(self._services, [route], management.requests(), tracing)
        self._loop = uvloop.new_event_loop()
        config: Any = SimpleNamespace(loaded_app=Dispatcher(application, on_stop=lambda: None, group=group))
        state: Any = SimpleNamespace(connections=set(), default_headers=_DEFAULTS)
        self._transports: list[Any] = [_Transport() for _ in range(CONNECTIONS)]
        self._connect = partial(HTTPProtocol, config, state, None, self._loop)

    def seconds(self, requests: Sequence[bytes]) -> float:
        """CPU time of all requests, on new connections: idle ones would be closed meanwhile."""
        self._connections = [self._connect() for _ in self._transports]
        for connection, transport in zip(self._connections, self._transports, strict=True):
            connection.connection_made(transport)
        started = time.thread_time()
        self._loop.run_until_complete(self._send(requests))
        spent = time.thread_time() - started
        for connection in self._connections:
            connection.connection_lost(None)
        assert {transport.status for transport in self._transports} <= {0, 202}  # a refusal costs less
        return spent

    async def _send(self, requests: Sequence[bytes]) -> None:
        for start in range(0, len(requests), CONNECTIONS):
            turn = [*zip(self._connections, self._transports, requests[start : start + CONNECTIONS], strict=False)]
            for connection, transport, request in turn:
                transport.status = 0
                connection.data_received(request)
            while not all(transport.status for _, transport, _ in turn):  # noqa: ASYNC110 - turn by turn is the point
                await asyncio.sleep(0)


def services() -> Services:
    """Return services whose tokens a `ServerPath` accepts."""
    return Services(Settings(jwt_secret=SecretStr(_SECRET)))


def requests_of(path: str, contents: Iterable[str], count: int, different: int = TOKENS) -> list[bytes]:
    """Return posts of `contents` in rotation, with `different` tokens in rotation."""
    issuer = services().issuer
    tokens = [issuer.issue(f"client-{number}")[0] for number in range(different)]
    listed = list(contents)
    return [
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: {len(listed[index % len(listed)])}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {tokens[index % different]}\r\n\r\n"
        f"{listed[index % len(listed)]}".encode()
        for index in range(count)
    ]
