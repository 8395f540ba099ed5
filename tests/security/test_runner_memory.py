"""Uploads that break off: memory stays bounded."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local_runner.gateway import MAX_BODY_BYTES
from tests.raw import connect, post_event
from tests.service import Service

UPLOADS = 60
MEGABYTE = 1_000_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """One whose memory no other test has used."""
    with Service.start(tmp_path / "data") as service:
        yield service


def resident(service: Service) -> int:
    """Bytes of memory that the service's process has."""
    return int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]) * 4096


def upload(service: Service, token: str) -> socket.socket:
    """A connection that has sent all of a body but its last byte."""
    connection = connect(service.port, post_event(token, b"Content-Length: %d" % MAX_BODY_BYTES))
    connection.sendall(b" " * (MAX_BODY_BYTES - 1))
    return connection


def test_uploads_that_break_off_leave_no_memory_behind(service: Service) -> None:
    token = service.token()
    before = resident(service)
    for _ in range(UPLOADS):
        upload(service, token).close()
    assert resident(service) - before < 100 * MEGABYTE  # of 315 that were sent
    assert httpx.get(f"{service.url}/health", timeout=5).status_code == 200
