"""Where the CPU time of accepting goes: `python -m benchmarks.hot_path`, a minute.

64 connections send 1,000 events with 100 tokens in rotation, in turns of one event loop, without sockets and into a
queue that keeps nothing. Each row is a longer part of the path than the row before; the rows take turns, and each shows
the least of six. The batches of `POST /events`, a catalogue and new tokens follow in separate tables.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import secrets
import time
from functools import partial
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import uvloop
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from benchmarks.load import batches, bodies
from core.auth.tokens import WRITE
from core.domain import strict_json
from core.settings import Settings
from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from functions.http import event_batch
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.event_intake import EventIntake
from functions.http.limits import MAX_BODY_BYTES
from functions.http.media_types import JSON, media_type
from functions.http.request_body import idempotency_key, validate_event
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
    from collections.abc import Callable, Iterable, Sequence

    from core.domain.models import Event
    from functions.http.handler import Handler, Operation
    from functions.http.request import ProxyEvent, Request
    from functions.http.response import ProxyResponse

CONNECTIONS: Final = 64
ROUNDS: Final = 6
TOKENS: Final = 100
NEW_TOKENS: Final = 4_000
EVENTS: Final = 10_000  # of one round
_SECRET: Final = secrets.token_urlsafe(48)
_DEFAULTS: Final = [(b"date", b"Tue, 24 Nov 2026 20:00:00 GMT"), (b"server", b"audit-log")]
_ANSWER: Final = b'{"event_id":"0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f","status":"queued"}'
_RESPONSE: Final = Response(202, _ANSWER, headers={"Location": "/event/0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f"})
_PROXY: Final = _RESPONSE.to_proxy("0192f0c1-7a6b-7c3d-8e4f-5a6b7c8d9e0f")
_HTTP: Final = HTTPResponse(202, [*_PROXY["headers"].items()], _ANSWER)


class _NoQueue:
    """Takes events and keeps none."""

    def stage(self, events: Sequence[Event], traceparent: str | None = None) -> Staged:
        return Staged([event.to_json() for event in events], 0, traceparent)

    def commit(self, staged: Sequence[Staged]) -> None:
        """Write nothing."""


class _NoHandler(NoTracing):
    """Stops before the handler."""

    def handler(self, _handler: Handler) -> Handler:
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


def _nothing(_request: Request, _services: Services) -> Response:
    return _RESPONSE


def _token(request: Request, services: Services) -> Response:
    authenticate(request, services, WRITE)
    decode_body(request, MAX_BODY_BYTES)
    media_type(request, JSON)
    idempotency_key(request)
    return _RESPONSE


def _json(request: Request, services: Services) -> Response:
    _token(request, services)
    strict_json.loads(request.body)
    return _RESPONSE


def _fields(request: Request, services: Services) -> Response:
    _token(request, services)
    validate_event(strict_json.loads(request.body), len(request.body))
    return _RESPONSE


def _accept(request: Request, services: Services) -> Response:
    claims = authenticate(request, services, WRITE)
    body = decode_body(request, MAX_BODY_BYTES)
    media_type(request, JSON)
    EventIntake(claims, services, idempotency_key(request)).add(strict_json.loads(body), len(body))
    return _RESPONSE


def _batch_json(request: Request, services: Services) -> Response:
    _token(request, services)
    event_batch.items(request.body)
    return _RESPONSE


class _Path:
    """The way of a request on 64 connections, up to where an application or an operation stops it."""

    def __init__(
        self,
        path: str,
        operation: Operation | None,
        tracing: NoTracing | None = None,
        catalogue: FilePath | None = None,
    ) -> None:
        management = ManagementServer()
        group = GroupCommit(_NoQueue(), in_thread=False)
        self._services = Services(
            Settings(jwt_secret=SecretStr(_SECRET), catalogue=catalogue),
            publisher=group,
            commit_group=group,
            meter=management.meter,
        )
        route = Route("POST", path, Tag.EVENTS, Place.ACCEPT, operation or _nothing, "", {})
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


def _requests(path: str, contents: Iterable[str], count: int) -> list[bytes]:
    issuer = Services(Settings(jwt_secret=SecretStr(_SECRET))).issuer
    tokens = [issuer.issue(f"client-{number}")[0] for number in range(TOKENS)]
    listed = list(contents)
    return [
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: {len(listed[index % len(listed)])}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {tokens[index % TOKENS]}\r\n\r\n"
        f"{listed[index % len(listed)]}".encode()
        for index in range(count)
    ]


def _print(title: str, paths: dict[str, Callable[[], float]], per: int) -> None:
    """Take the turns, and print the microseconds of each row and its difference to the row before."""
    spent: dict[str, list[float]] = {name: [] for name in paths}
    for run in paths.values():
        run()
    for _ in range(ROUNDS):
        for name, run in paths.items():
            spent[name].append(run() / per * 1e6)
    table = Table(title, "µs", "more", box=None)
    before = 0.0
    for name, values in spent.items():
        table.add_row(name, f"{min(values):.1f}", f"{min(values) - before:+.1f}")
        before = min(values)
    Console().print(table, "")


def _write_catalogue(folder: FilePath, posted: Iterable[str]) -> None:
    """Write a schema that asks for each member of the events, with its type, as if derived from them."""
    types = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", type(None): "null"}

    def schema(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            return {"type": types[type(value)]}
        properties = {name: schema(member) for name, member in value.items()}
        return {"type": "object", "required": list(value), "properties": properties, "additionalProperties": False}

    for body in posted:
        event = json.loads(body)
        (folder / f"{event['event_type']}.json").write_text(json.dumps(schema(event["event_data"])))


def _new_tokens() -> float:
    services = Services(Settings(jwt_secret=SecretStr(_SECRET)))
    tokens = [services.issuer.issue(f"client-{number}")[0] for number in range(NEW_TOKENS)]
    verify = services.verifier.verify
    started = time.thread_time()
    for token in tokens:
        verify(token)
    return time.thread_time() - started


def main() -> None:
    """Print four tables."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(50_000)  # as `tune_memory` sets it
    single = {
        "connection, parser, bytes of the answer": _Path("/event", None),
        "id, proxy event, metrics, access log": _Path("/event", _nothing, _NoHandler()),
        "handler: request, response": _Path("/event", _nothing),
        "token, media type": _Path("/event", _token),
        "strict JSON": _Path("/event", _json),
        "fields": _Path("/event", _fields),
        "id and receive time of the event": _Path("/event", _accept),
        "JSON of the event, publish, answer": _Path("/event", create_event),
    }
    requests = _requests("/event", bodies(), EVENTS)
    _print("POST /event", {name: partial(path.seconds, requests) for name, path in single.items()}, EVENTS)
    in_batches = {
        "up to the token": _Path("/events", _token),
        "strict JSON": _Path("/events", _batch_json),
        "all": _Path("/events", create_events),
    }
    posted = _requests("/events", batches(1_000), EVENTS // 1_000 * 4)
    _print(
        "POST /events, an event of 1,000",
        {name: partial(path.seconds, posted) for name, path in in_batches.items()},
        len(posted) * 1_000,
    )
    with TemporaryDirectory() as folder:
        _write_catalogue(FilePath(folder), bodies())
        checked = {
            "without a catalogue": _Path("/event", create_event),
            "each event checked by its schema": _Path("/event", create_event, catalogue=FilePath(folder)),
        }
        _print("POST /event", {name: partial(path.seconds, requests) for name, path in checked.items()}, EVENTS)
    _print("Token", {"verified for the first time": _new_tokens}, NEW_TOKENS)


if __name__ == "__main__":
    main()
