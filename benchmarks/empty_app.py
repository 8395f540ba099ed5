"""The limit: the same server with an application that answers from constants; more than its rate cannot be had."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from uvicorn import Server

from core.settings import Settings
from core.wiring import Services
from local_runner.http.application import Application
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.sockets import bind_listener
from local_runner.http.uvicorn_server import uvicorn_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_runner.http.dispatcher import Answer

_TOKEN = b'{"token":"empty","access_token":"empty","token_type":"Bearer","expires_in":3600}'
_QUEUED = b'{"event_id":"00000000-0000-7000-8000-000000000000","status":"queued"}'


def _answer(status: int, body: bytes) -> Answer:
    return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body


class _Empty(Dispatcher):
    def threads(self, environ: Mapping[str, Any]) -> None:
        """Answer everything on the event loop."""

    def answer(self, environ: Mapping[str, Any]) -> Answer:
        """Answer a token, or that an event is queued."""
        return _answer(200, _TOKEN) if environ["REQUEST_METHOD"] == "GET" else _answer(202, _QUEUED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    nothing = Application(Services(Settings()), [])
    with bind_listener("127.0.0.1", options.port) as listener:
        Server(uvicorn_config(_Empty(nothing, on_stop=lambda: None), None)).run([listener])
