"""Slowloris: clients that begin a request and do not end it must not stop the service for the others."""

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from functions.http.limits import MAX_BODY_BYTES
from local_runner.http.deadlines import BODY_SECONDS
from tests.support.builders import new_event
from tests.support.raw import connect, exchange, post_event, read_to_end, statuses
from tests.support.service import Service, get, post
from tests.support.waiting import SECONDS, until

HALF_A_HEADER = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
MUCH_LATER = 60.0
"""Bound in seconds that leaves room for pauses of the machine. Without deadlines it would be 75 s, or without end."""


class Attack:
    """50 connections with half a body, 50 with half a header (one with nothing), two of each that drip."""

    def __init__(self, service: Service, *, drips: bool = True) -> None:
        self.service = service
        self.token = service.token()
        self.half_bodies: list[socket.socket] = []
        self.half_headers: list[socket.socket] = []
        self.dripped_for: list[float] = []
        self._drips = drips
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        half_a_body = post_event(self.token, b"Content-Length: 100", body=b'{"event_type": "')
        half_a_chunk = post_event(self.token, b"Transfer-Encoding: chunked", body=b"64\r\n{")
        for number in range(50):
            self.half_bodies.append(self._connect(half_a_chunk if number % 2 else half_a_body))
            self.half_headers.append(self._connect(HALF_A_HEADER if number else b""))
        for begun in (half_a_body, HALF_A_HEADER) * (2 if self._drips else 0):
            thread = threading.Thread(target=self._drip, args=(begun,))
            thread.start()
            self._closing.callback(thread.join)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _connect(self, begun: bytes) -> socket.socket:
        return self._closing.enter_context(connect(self.service.port, begun))

    def _drip(self, begun: bytes) -> None:
        """One byte a second until the server has had enough."""
        started = time.monotonic()
        with connect(self.service.port, begun) as connection:
            connection.settimeout(1)
            while time.monotonic() < started + SECONDS:
                try:
                    connection.sendall(b"x")
                    if not connection.recv(65536):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        self.dripped_for.append(time.monotonic() - started)

    def answered(self) -> int:
        """How many connections have an answer, or were closed."""
        return len(select.select([*self.half_bodies, *self.half_headers], [], [], 0)[0])

    def seconds(self) -> float:
        return time.monotonic() - self.started


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service.start(tmp_path_factory.mktemp("slow")) as service:
        yield service


@pytest.fixture(scope="module")
def attack(attacked: Service) -> Iterator[Attack]:
    with Attack(attacked) as attack:
        yield attack


def test_others_are_served_while_a_hundred_connections_hang(attacked: Service) -> None:
    headers = {"Authorization": f"Bearer {attacked.token()}"}

    def served() -> bool:
        """Whether others were served before the first that hangs had its answer, which it gets in time."""
        with Attack(attacked, drips=False) as hanging:
            for _ in range(3):
                assert get(f"{attacked.url}/health").status_code == 200
                assert post(f"{attacked.url}/event", json=new_event(), headers=headers).status_code == 202
                assert get(f"{attacked.url}/event", headers=headers).status_code == 200
            return not hanging.answered()

    until(served)  # not at the first attempt where this process stands still meanwhile


def test_a_body_that_never_comes_is_answered_408_after_ten_seconds(attack: Attack) -> None:
    for connection in attack.half_bodies:
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
        assert statuses(head) == [408]
        assert b"content-type: application/problem+json" in head.lower()
        assert json.loads(body)["status"] == 408
    assert BODY_SECONDS - 1 < attack.seconds() < MUCH_LATER


def test_headers_that_never_end_are_cut_off_after_ten_seconds(attack: Attack) -> None:
    answered = [statuses(read_to_end(connection)) for connection in attack.half_headers]
    assert sorted(answered) == [[], *[[408]] * 49]  # one has sent nothing at all
    assert BODY_SECONDS - 1 < attack.seconds() < MUCH_LATER


def test_a_byte_a_second_does_not_win_more_time(attack: Attack) -> None:
    until(lambda: len(attack.dripped_for) == 4)
    assert all(BODY_SECONDS - 1 < seconds < MUCH_LATER for seconds in attack.dripped_for)


def test_all_of_it_leaves_no_stack_trace_and_a_service_that_is_ready(attack: Attack) -> None:
    assert "Traceback" not in attack.service.log
    assert get(f"{attack.service.url}/ready").status_code == 200


def test_a_client_that_goes_away_in_the_middle_of_its_body_leaves_nothing_behind(service: Service) -> None:
    token = service.token()
    for _ in range(50):
        connect(service.port, post_event(token, b"Content-Length: 100", body=b"{")).close()
        connect(service.port, post_event(token, b"Transfer-Encoding: chunked", body=b"64\r\n{")).close()
    assert get(f"{service.url}/health").status_code == 200
    assert "Traceback" not in service.log


def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(service: Service) -> None:
    length = b"Content-Length: %d" % (MAX_BODY_BYTES + 1)
    assert statuses(exchange(service.port, post_event(service.token(), length))) == [413]  # 408 if it were waited for


def test_clients_that_hang_do_not_keep_the_service_from_storing_everything_and_stopping(tmp_path: Path) -> None:
    with Service.start(tmp_path / "data") as service, ExitStack() as hanging:
        token = service.token()
        begun = [
            post_event(token, b"Transfer-Encoding: chunked", body=b"64\r\n{"),
            post_event(token, b"Content-Length: 100", body=b"{"),
            HALF_A_HEADER,
        ]
        for request in begun * 10:
            hanging.enter_context(connect(service.port, request))
        posted = post(f"{service.url}/event", json=new_event(), headers={"Authorization": f"Bearer {token}"})
        assert posted.status_code == 202
        assert service.stop() == 0
        assert "queue_drained" in service.log
