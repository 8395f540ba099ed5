"""Too much of everything: headers, paths and bodies without end; and what no answer gives away."""

import threading
import time
from pathlib import Path

import httpx
import pytest

from functions.http.limits import MAX_BODY_BYTES
from tests.support.raw import connect, exchange, post_event, read_to_end, statuses
from tests.support.service import Service
from tests.support.waiting import SECONDS


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET /health HTTP/1.1\r\nX-Large: " + b"a" * 140_000 + b"\r\n\r\n", id="one header"),
        pytest.param(b"GET /health HTTP/1.1\r\n" + b"X-Many: a\r\n" * 20_000 + b"\r\n", id="many headers"),
        pytest.param(
            b"GET /health HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"\r\n", id="101"
        ),
    ],
)
def test_a_header_section_without_end_is_refused_431(service: Service, request_bytes: bytes) -> None:
    assert statuses(exchange(service.port, request_bytes)) == [431]


def test_a_path_without_end_is_refused_414(service: Service) -> None:
    assert statuses(exchange(service.port, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")) == [414]


@pytest.mark.parametrize(
    "path", ["/health", "/docs", "/docs/docs.js", "/nowhere", "/event", "/access-token?valid_minutes=x"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE"])
def test_no_answer_names_the_server_software_or_lets_its_type_be_guessed(
    service: Service, method: str, path: str
) -> None:
    answer = httpx.request(method, service.url + path, timeout=SECONDS)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    assert answer.headers["server"] == "audit-log"
    assert not any(word in str(answer.headers).lower() for word in ("uvicorn", "werkzeug", "python", "httptools"))


def test_twenty_clients_that_push_fifty_megabytes_each_are_cut_off_at_the_limit(service: Service) -> None:
    token = service.token()
    chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    pushed, answers = [], []

    def push() -> None:
        with connect(
            service.port, post_event(token, b"Transfer-Encoding: chunked").replace(b"/event ", b"/events ")
        ) as connection:
            try:
                for number in range(50):
                    connection.sendall(chunk)
                    pushed.append(number)
            except OSError:
                pass  # it does not listen any more
            answers.append(read_to_end(connection))

    before = _memory(service)
    clients = [threading.Thread(target=push) for _ in range(20)]
    for client in clients:
        client.start()
    peak = before
    while any(client.is_alive() for client in clients):
        peak = max(peak, _memory(service))
        time.sleep(0.01)
    assert {status for answer in answers for status in statuses(answer)} == {413}
    assert len(pushed) < 20 * 20
    assert peak - before < 2 * 20 * MAX_BODY_BYTES  # of the 1,000 MB, what each may send, and room to grow it in


def _memory(service: Service) -> int:
    """Resident bytes of the service's worker, the largest process in its group."""
    sizes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            group = int((process / "stat").read_text().rpartition(")")[2].split()[2])
            if group == service.process.pid:
                sizes.append(int((process / "statm").read_text().split()[1]) * 4096)
        except OSError:
            continue  # it has ended meanwhile
    return max(sizes)
