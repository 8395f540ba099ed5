"""The limit: the same server with an application that answers from constants; more than its rate cannot be had."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from core.settings import Settings
from core.wiring import Services
from local_runner.aws_events.proxy_event import HTTPResponse
from local_runner.http.application import Application
from local_runner.http.dispatcher import Dispatcher
from local_runner.http.quiet_server import QuietServer
from local_runner.http.sockets import bind_listener
from local_runner.http.uvicorn_server import uvicorn_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_runner.http.parser import ParsedRequest

_TOKEN = b'{"token":"empty","access_token":"empty","token_type":"Bearer","expires_in":3600}'
_QUEUED = b'{"event_id":"00000000-0000-7000-8000-000000000000","status":"queued"}'


def _answer(status: int, body: bytes) -> HTTPResponse:
    return HTTPResponse(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body)


class _Empty(Dispatcher):
    def dispatch(self, parsed: ParsedRequest) -> tuple[None, Callable[[], HTTPResponse]]:
        """Answer a token, or that an event is queued, on the event loop."""
        is_get = parsed.request.method == "GET"
        return None, lambda: _answer(200, _TOKEN) if is_get else _answer(202, _QUEUED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    nothing = Application(Services(Settings()), [])
    with bind_listener("127.0.0.1", options.port) as listener:
        QuietServer(uvicorn_config(_Empty(nothing, on_stop=lambda: None), None)).run([listener])
