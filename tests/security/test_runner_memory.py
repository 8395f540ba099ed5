"""Uploads that break off, that stand still, and connections without end: memory stays bounded, others are served."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from functions.http.limits import MAX_BODY_BYTES
from local_runner.http.connection_limits import MAX_REQUEST_BYTES
from tests.support.builders import new_event
from tests.support.raw import connect, exchange, post_event, read_to_end, statuses
from tests.support.service import AUDIT_LOG, Service, free_port, get
from tests.support.waiting import until

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
    assert get(f"{service.url}/health").status_code == 200


def test_large_answers_leave_no_memory_behind(service: Service) -> None:
    before = resident(service)
    request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        for client in [stack.enter_context(connect(service.port, request)) for _ in range(300)]:
            read_to_end(client)
    until(lambda: resident(service) - before <= 25 * MEGABYTE)  # four at a time, of 1.7 MB each


def test_uploads_that_stand_still_are_refused_beyond_a_bound_and_events_are_accepted(service: Service) -> None:
    token = service.token()
    before = resident(service)

    def upload_all() -> Counter[int]:
        """The answers by their status, 0 where there is none; nothing where a last byte was waited for in vain."""
        answers: Counter[int] = Counter()
        with ExitStack() as stack, service.client() as client:
            uploads = [stack.enter_context(upload(service, token)) for _ in range(UPLOADS)]
            assert resident(service) - before < MAX_REQUEST_BYTES + 100 * MEGABYTE
            assert client.post("/event", json=new_event()).status_code == 202
            for connection in uploads:
                connection.setblocking(False)
                try:
                    answers.update(statuses(connection.recv(65536)))
                except BlockingIOError:
                    answers[0] += 1
        return Counter() if 408 in answers else answers

    answers = until(upload_all)  # not at the first attempt where this process stands still meanwhile
    assert answers.keys() == {0, 503}
    assert answers[0] * MAX_BODY_BYTES <= MAX_REQUEST_BYTES
    assert "Traceback" not in service.log


def test_silent_connections_that_use_up_the_file_descriptors_lock_no_client_out(tmp_path: Path) -> None:
    port, files = free_port(), 256
    command = ["sh", "-c", f"ulimit -n {files}; exec {AUDIT_LOG} serve --port {port}"]
    with Service(command, port, tmp_path / "data", {}).wait_until_up() as service, ExitStack() as stack:
        token = service.token()
        silent = [stack.enter_context(connect(port)) for _ in range(2 * files)]
        with service.client() as client:
            for _ in range(5):
                assert client.post("/event", json=new_event()).status_code == 202
        assert sum(1 for _ in Path(f"/proc/{service.process.pid}/fd").iterdir()) < files
        bearer = {"Authorization": f"Bearer {token}"}
        until(lambda: get(f"{service.url}/event", headers=bearer).json()["total_count"] == 5)
        assert silent[0].recv(1) == b""  # the first one made room
        assert "Traceback" not in service.log


METRICS_HEAD = b"Host: localhost\r\nContent-Length: %d\r\n" % (MAX_BODY_BYTES + 1)


@pytest.fixture
def metrics_port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    with Service.start(tmp_path / "data", "--metrics-port", str(port)) as service:
        yield port
        assert "werkzeug" not in service.log  # no line for any of it


def test_the_management_port_refuses_a_body_that_is_too_large_before_it_is_sent(metrics_port: int) -> None:
    assert statuses(exchange(metrics_port, b"POST /ready HTTP/1.1\r\n" + METRICS_HEAD + b"\r\n")) == [413]


def test_the_management_port_answers_while_as_many_connections_as_it_may_have_are_silent(metrics_port: int) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(metrics_port)) for _ in range(32)]
        assert statuses(exchange(metrics_port, b"GET /health HTTP/1.0\r\n\r\n")) == [200]
        assert {connection.recv(1) for connection in silent} == {b""}  # each waits up to 15 seconds
