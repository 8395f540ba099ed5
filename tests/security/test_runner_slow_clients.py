"""Slowloris: clients that begin a request and do not end it must not stop the service for the others."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from functions.http.limits import MAX_BODY_BYTES
from local_runner.http.deadlines import BODY_SECONDS
from tests.support.builders import new_event
from tests.support.raw import connect, exchange, post_event, read_to_end, statuses
from tests.support.service import Service

HALF_A_HEADER = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
SLACK_SECONDS = 4.0


@dataclass
class Attack:
    """50 connections with half a body, 50 with half a header (one with nothing), two of each that drip."""

    service: Service
    token: str
    started: float = field(default_factory=time.monotonic)
    half_bodies: list[socket.socket] = field(default_factory=list)
    half_headers: list[socket.socket] = field(default_factory=list)
    dripped_for: list[float] = field(default_factory=list)

    def begin(self) -> list[threading.Thread]:
        half_a_body = post_event(self.token, b"Content-Length: 100", body=b'{"event_type": "')
        half_a_chunk = post_event(self.token, b"Transfer-Encoding: chunked", body=b"64\r\n{")
        for number in range(50):
            self.half_bodies.append(connect(self.service.port, half_a_chunk if number % 2 else half_a_body))
            self.half_headers.append(connect(self.service.port, HALF_A_HEADER if number else b""))
        drips = [threading.Thread(target=self._drip, args=(begun,)) for begun in (half_a_body, HALF_A_HEADER) * 2]
        for thread in drips:
            thread.start()
        return drips

    def _drip(self, begun: bytes) -> None:
        """One byte a second until the server has had enough."""
        started = time.monotonic()
        with connect(self.service.port, begun) as connection:
            connection.settimeout(1)
            while time.monotonic() < started + 2 * BODY_SECONDS:
                try:
                    connection.sendall(b"x")
                    if not connection.recv(65536):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
        self.dripped_for.append(time.monotonic() - started)

    def seconds(self) -> float:
        return time.monotonic() - self.started


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    with Service.start(tmp_path_factory.mktemp("slow")) as service:
        attack = Attack(service, service.token())
        drips = attack.begin()
        yield attack
        for connection in [*attack.half_bodies, *attack.half_headers]:
            connection.close()
        for thread in drips:
            thread.join()


def test_others_are_served_within_a_second_while_a_hundred_connections_hang(attack: Attack) -> None:
    headers = {"Authorization": f"Bearer {attack.token}"}
    for _ in range(10):
        asked = time.monotonic()
        assert httpx.get(f"{attack.service.url}/health", timeout=5).status_code == 200
        assert time.monotonic() - asked < 1
        posted = httpx.post(f"{attack.service.url}/event", json=new_event(), headers=headers, timeout=5)
        assert posted.status_code == 202
        assert httpx.get(f"{attack.service.url}/event", headers=headers, timeout=5).status_code == 200
    assert attack.seconds() < BODY_SECONDS  # all of that while they hung


def test_a_body_that_never_comes_is_answered_408_after_ten_seconds(attack: Attack) -> None:
    for connection in attack.half_bodies:
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
        assert statuses(head) == [408]
        assert b"content-type: application/problem+json" in head.lower()
        assert json.loads(body)["status"] == 408
    assert BODY_SECONDS - 1 < attack.seconds() < BODY_SECONDS + SLACK_SECONDS


def test_headers_that_never_end_are_cut_off_after_ten_seconds(attack: Attack) -> None:
    answered = [statuses(read_to_end(connection)) for connection in attack.half_headers]
    assert sorted(answered) == [[], *[[408]] * 49]  # one has sent nothing at all
    assert attack.seconds() < BODY_SECONDS + 2 * SLACK_SECONDS


def test_a_byte_a_second_does_not_win_more_time(attack: Attack) -> None:
    while len(attack.dripped_for) < 4 and attack.seconds() < 3 * BODY_SECONDS:
        time.sleep(0.1)
    assert len(attack.dripped_for) == 4
    assert all(BODY_SECONDS - 1 < seconds < BODY_SECONDS + SLACK_SECONDS for seconds in attack.dripped_for)


def test_all_of_it_leaves_no_stack_trace_and_a_service_that_is_ready(attack: Attack) -> None:
    assert "Traceback" not in attack.service.log
    assert httpx.get(f"{attack.service.url}/ready", timeout=5).status_code == 200


def test_a_client_that_goes_away_in_the_middle_of_its_body_leaves_nothing_behind(service: Service) -> None:
    token = service.token()
    for _ in range(50):
        connect(service.port, post_event(token, b"Content-Length: 100", body=b"{")).close()
        connect(service.port, post_event(token, b"Transfer-Encoding: chunked", body=b"64\r\n{")).close()
    assert httpx.get(f"{service.url}/health", timeout=5).status_code == 200
    assert "Traceback" not in service.log


def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(service: Service) -> None:
    length = b"Content-Length: %d" % (MAX_BODY_BYTES + 1)
    started = time.monotonic()
    assert statuses(exchange(service.port, post_event(service.token(), length))) == [413]
    assert time.monotonic() - started < 5


def test_clients_that_hang_do_not_keep_the_service_from_storing_everything_and_stopping(tmp_path: Path) -> None:
    with Service.start(tmp_path / "data") as service:
        token = service.token()
        hanging = [
            connect(service.port, request)
            for request in [
                post_event(token, b"Transfer-Encoding: chunked", body=b"64\r\n{"),
                post_event(token, b"Content-Length: 100", body=b"{"),
                HALF_A_HEADER,
            ]
            * 10
        ]
        posted = httpx.post(
            f"{service.url}/event", json=new_event(), headers={"Authorization": f"Bearer {token}"}, timeout=5
        )
        assert posted.status_code == 202
        assert service.stop(timeout=BODY_SECONDS + 3 * SLACK_SECONDS) == 0
        assert "queue_drained" in service.log
        for connection in hanging:
            connection.close()
