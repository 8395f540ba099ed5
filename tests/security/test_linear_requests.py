"""Input takes time in proportion to its length, so that no request stops the service for the others."""

from contextlib import ExitStack

import httpx

from tests.raw import connect, read_to_end, statuses
from tests.service import Service

HEALTH_SECONDS = 3.0
"""Bound for GET /health beside four such requests. A quadratic match of the header took 54 seconds."""


def test_health_answers_while_content_types_without_end_are_read(service: Service) -> None:
    head = (
        b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
        b"Content-Type: application/x-www-form-urlencoded" + b" " * 64_000 + b"x\r\n\r\n"
    )
    with ExitStack() as connections:
        posting = [connections.enter_context(connect(service.port, head)) for _ in range(4)]
        assert httpx.get(f"{service.url}/health", timeout=HEALTH_SECONDS).status_code == 200
        assert [statuses(read_to_end(connection)) for connection in posting] == [[415]] * 4
