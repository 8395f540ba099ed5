"""A request that was refused half-read is let go at once.

granian keeps a body, and with it the connection and the stop of the service, for as long as anything holds the request.
"""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Self

import pytest
from granian._granian import RSGIProtocolClosed

from core.wiring import Services
from local_runner import front
from local_runner.app import Application
from local_runner.front import Front
from local_runner.gateway import MAX_BODY_BYTES


class Headers(dict[str, str]):
    """granian's, as far as it is read."""


class Protocol:
    """granian's side of one request: some chunks, and then the end, an error, or waiting for ever."""

    def __init__(self, *chunks: bytes, waits: bool = False, breaks: bool = False) -> None:
        self.chunks = list(chunks)
        self.waits = waits
        self.breaks = breaks
        self.status = 0

    async def __call__(self) -> bytes:
        if self.breaks:
            raise RSGIProtocolClosed
        await asyncio.sleep(60)
        raise AssertionError("it was waited for")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self.chunks:
            return self.chunks.pop(0)
        if self.waits:
            await asyncio.sleep(60)
        raise StopAsyncIteration

    def response_bytes(self, status: int, _headers: object, _body: bytes) -> None:
        self.status = status


@pytest.fixture(autouse=True)
def _nobody_collects(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An idle service: no garbage collection comes by. And ten seconds are short."""
    monkeypatch.setattr(front, "BODY_SECONDS", 0.05)
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("path", ["/event", "/events"], ids=["on the loop", "in a thread"])
@pytest.mark.parametrize(
    ("header", "build", "status"),
    [
        ("transfer-encoding", lambda: Protocol(b"{", waits=True), 408),
        ("transfer-encoding", lambda: Protocol(b"{", b"", b""), 400),
        ("transfer-encoding", lambda: Protocol(b" " * MAX_BODY_BYTES, b" ", waits=True), 413),
        ("content-length", lambda: Protocol(waits=True), 408),
        ("content-length", lambda: Protocol(breaks=True), 400),
    ],
    ids=["no end", "malformed", "too large", "no end, with a length", "broken off"],
)
def test_nothing_holds_a_request_that_was_refused_half_read(
    services: Services, path: str, header: str, build: Any, status: int
) -> None:
    served = Front(Application(services), on_start=lambda: None, on_stop=lambda: None)

    async def one_request() -> tuple[int, "weakref.ref[Protocol]"]:
        protocol = build()
        value = "100" if header == "content-length" else "chunked"
        scope: Any = SimpleNamespace(
            method="POST", path=path, query_string="", client="127.0.0.1:1", http_version="1.1",
            headers=Headers({header: value}),
        )  # fmt: skip
        await served.__rsgi__(scope, protocol)
        return protocol.status, weakref.ref(protocol)

    async def request_and_after() -> None:
        answered, protocol = await one_request()
        assert answered == status
        await asyncio.sleep(0.05)  # a thread lets go of its work after it has answered
        assert protocol() is None

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(request_and_after())
        served.__rsgi_del__(loop)
    finally:
        loop.close()
