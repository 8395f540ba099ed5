"""Many requests sent ahead on one connection: in order, each read once, and not at the cost of the others."""

import itertools
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.raw import connect, exchange, post_event, read_to_end, statuses
from tests.support.service import Service, get
from tests.support.waiting import until
from tests.support.workload import Workload

TOKEN_REQUEST = b"GET /access-token HTTP/1.1\r\nHost: localhost\r\n\r\n"
EMPTY_POST = b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"


def resident(service: Service) -> int:
    return int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flood(connection: socket.socket, content: bytes, goes_on: Callable[[], bool]) -> None:
    connection.settimeout(0.2)
    while goes_on():
        try:
            connection.send(content)
        except TimeoutError:
            continue
        except OSError:
            return


class Flood(Workload):
    """Requests without end on one connection, whose answers are read and counted."""

    def __init__(self, port: int) -> None:
        super().__init__(self._send, self._read)
        self.answered = 0
        self._connection = connect(port)

    def __exit__(self, *_: object) -> None:
        with self._connection:
            super().__exit__()

    def _send(self) -> None:
        flood(self._connection, EMPTY_POST * 1_000, lambda: not self.stop.is_set())

    def _read(self) -> None:
        while not self.stop.is_set():
            with suppress(TimeoutError):
                self.answered += self._connection.recv(1 << 20).count(b"HTTP/1.1 ")


def test_hundreds_of_requests_in_one_piece_are_answered_each_in_its_turn(service: Service) -> None:
    last = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = exchange(service.port, (EMPTY_POST + TOKEN_REQUEST) * 200 + last)
    assert statuses(answer) == [401, 200] * 200 + [404]


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(
    "after", [b"GARBAGE", b"\r\n\x00\x01", b"FOO / HTTP/1.1\r\n\r\n", TOKEN_REQUEST, EMPTY_POST * 3]
)
def test_bytes_after_the_last_request_are_neither_answered_nor_logged(
    service: Service, after: bytes, version: bytes
) -> None:
    last = b"GET /nowhere HTTP/%s\r\nHost: localhost\r\nConnection: close\r\n\r\n" % version
    before = service.log
    assert statuses(exchange(service.port, last + after)) == [404]
    assert "Traceback" not in service.log.removeprefix(before)


def test_a_client_that_floods_does_not_keep_the_others_waiting(service: Service) -> None:
    with Flood(service.port) as flooding:
        for _ in range(3):
            before = flooding.answered
            until(lambda known=before: flooding.answered > known)  # type: ignore[misc]
            assert get(f"{service.url}/health").status_code == 200


def test_answers_that_nobody_reads_are_not_made(service: Service) -> None:
    before = resident(service)
    with connect(service.port) as connection:
        deadline = time.monotonic() + 2
        flood(connection, LARGE * 1_000, lambda: time.monotonic() < deadline)
        assert resident(service) - before < 100 * 1024 * 1024  # each answer has 1.5 MB
    assert get(f"{service.url}/health").status_code == 200


def test_a_request_before_one_with_an_unknown_method_is_not_read_twice(service: Service) -> None:
    unknown = b"FOO /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert statuses(exchange(service.port, TOKEN_REQUEST + unknown)) == [200, 400]


def test_the_end_of_a_body_is_not_read_as_a_request_of_an_unknown_method(service: Service) -> None:
    body = b"GET /access-token HTTP/1.1\r\n"
    with connect(service.port, post_event("wrong", b"Content-Length: %d" % len(body))) as connection:
        time.sleep(0.2)  # so that the body arrives in a separate piece
        connection.sendall(body + b"\x01garbage")
        assert statuses(read_to_end(connection)) == [401, 400]


@pytest.mark.parametrize(
    "lines",
    [[], [b"Host: a", b"Host: b"], [b"Host: a", b"Transfer-Encoding: gzip, chunked"]],
    ids=["no Host", "two of them", "a coding that is not read"],
)
def test_what_rfc_9112_wants_refused_is_refused(service: Service, lines: list[bytes]) -> None:
    request = b"\r\n".join([b"GET /health HTTP/1.1", *lines, b"", b"0\r\n\r\n"])
    assert statuses(exchange(service.port, request)) == [400]


def test_after_http_1_0_the_connection_is_closed(service: Service) -> None:
    request = b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    assert statuses(exchange(service.port, request)) == [200]


@pytest.mark.parametrize(("version", "asked"), [(b"1.1", 1), (b"1.0", 0)], ids=["HTTP/1.1", "HTTP/1.0 knows no 100"])
def test_a_body_is_asked_for_when_the_client_waits_for_that(service: Service, version: bytes, asked: int) -> None:
    head = post_event("wrong", b"Content-Length: 2", b"Expect: 100-continue", b"Connection: close")
    with connect(service.port, head.replace(b"HTTP/1.1", b"HTTP/" + version)) as connection:
        time.sleep(0.2)
        connection.sendall(b"{}")
        assert read_to_end(connection).count(b"100 Continue") == asked


def test_a_stop_does_not_wait_long_for_half_a_body(tmp_path: Path) -> None:
    rounds = itertools.count()

    def stops_soon() -> bool:
        """Whether it took less than the ten seconds that the body has otherwise, and has no error in its log."""
        half = post_event("wrong", b"Content-Length: 100", body=b"{")
        with Service.start(tmp_path / f"data{next(rounds)}") as service, connect(service.port, half):
            time.sleep(0.2)
            started = time.monotonic()
            assert service.stop() == 0
            seconds = time.monotonic() - started
        return "ERROR" not in service.log.upper().replace("ERRORS", "") and seconds < 6

    until(stops_soon)  # not at the first attempt where the machine stands still meanwhile
