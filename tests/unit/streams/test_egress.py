"""Outbound HTTP of streams: where it connects, and what an endpoint can do to it. Connects to loopback only."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
import trustme

from core.errors import DeliveryDelayedError, MisconfiguredError
from core.streams.dialing import SocketAddress
from core.streams.egress import MAX_BODY_BYTES, TOTAL_SECONDS, Answer, Egress, retry_after
from tests.support.receiver import Received, Receiver, Reply, raw_endpoint, receiver, while_patient
from tests.support.waiting import SECONDS, retried

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
CANARY = b"canary-of-the-other-side"
SECRET_HEADERS = {"Authorization": "Bearer canary-of-ours", "Content-Type": "application/json"}
SHORT = 0.3
"""A time limit of a test, in seconds."""
MUCH_LATER = TOTAL_SECONDS - 5
"""Bound in seconds that leaves room for pauses of the machine: an exchange ends without the limit of a test as well."""


class FakeResolver:
    """Answers each question with the next of its addresses, and with the last one from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.questions = 0

    def __call__(self, _host: str, port: int) -> list[SocketAddress]:
        self.questions += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(address, port, 0, 0) if ":" in address else (address, port) for address in addresses]


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def test_a_request_arrives_with_its_headers_and_its_answer_is_returned(endpoint: Receiver) -> None:
    endpoint.reply = lambda _request: Reply(201, b"{}", (("Retry-After", "7"),))

    answer = Egress(LOOPBACK).post(f"{endpoint.url}/in?a=b", b"[1]", SECRET_HEADERS)

    assert answer == Answer(201, 7, b"{}")
    (received,) = endpoint.requests
    assert (received.path, received.body) == ("/in?a=b", b"[1]")
    assert received.headers["authorization"] == "Bearer canary-of-ours"
    assert received.headers["host"] == endpoint.url.removeprefix("http://")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_an_address_that_is_not_public_is_never_connected_to(scheme: str, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    egress = Egress(resolver=FakeResolver([address]))
    for url in (f"{scheme}://{host}:9/", f"{scheme}://siem.example.org:9/"):
        with pytest.raises(MisconfiguredError, match="not public"):
            egress.post(url, b"", {})


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_forbidden_address_among_several_is_enough_to_refuse(endpoint: Receiver, scheme: str) -> None:
    port = endpoint.url.rpartition(":")[2]
    egress = Egress([ip_network("127.0.0.1/32")], resolver=FakeResolver(["127.0.0.1", "127.0.0.2"]))
    with pytest.raises(MisconfiguredError, match="not public"):
        egress.post(f"{scheme}://siem.example.org:{port}/", b"", {})
    assert endpoint.requests == []


def test_a_resolver_that_changes_its_mind_is_asked_once(endpoint: Receiver) -> None:
    port = endpoint.url.rpartition(":")[2]
    rebinding = FakeResolver(["127.0.0.1"], ["127.0.0.2"])  # the second answer is not allowed
    egress = Egress([ip_network("127.0.0.1/32")], resolver=rebinding)

    assert egress.post(f"http://siem.example.org:{port}/", b"", {}).status == 200
    assert rebinding.questions == 1
    assert endpoint.requests[0].headers["host"] == f"siem.example.org:{port}"

    with pytest.raises(MisconfiguredError):
        egress.post(f"http://siem.example.org:{port}/", b"", {})


def test_the_next_address_is_tried_if_one_refuses(endpoint: Receiver) -> None:
    port = endpoint.url.rpartition(":")[2]
    egress = Egress(LOOPBACK, resolver=FakeResolver(["::1", "127.0.0.1"]))
    assert egress.post(f"http://siem.example.org:{port}/", b"", {}).status == 200


def test_a_name_in_the_place_of_an_address_is_not_resolved_again() -> None:
    egress = Egress(LOOPBACK, resolver=FakeResolver(["localhost"]))
    with pytest.raises(DeliveryDelayedError, match="has no address"):
        egress.post("https://siem.example.org/", b"", {})


def test_a_name_without_an_address_is_unavailable() -> None:
    def resolver(_host: str, _port: int) -> list[SocketAddress]:
        raise socket.gaierror(socket.EAI_NONAME, "canary-of-the-other-side")

    with pytest.raises(DeliveryDelayedError, match="has no address"):
        Egress(resolver=resolver).post("https://siem.example.org/", b"", {})


def test_http_is_refused_outside_of_the_networks_of_the_operator() -> None:
    egress = Egress([ip_network("10.0.0.0/8")], resolver=FakeResolver(["8.8.8.8"]))
    with pytest.raises(MisconfiguredError, match="https://"):
        egress.post("http://siem.example.org/", b"", {})


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"])
def test_proxies_of_the_environment_are_not_used(
    endpoint: Receiver, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert Egress(LOOPBACK).post(endpoint.url, b"", {}).status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(endpoint: Receiver, status: int) -> None:
    def redirect(request: Received) -> Reply:
        return Reply(status, headers=(("Location", f"{endpoint.url}/other"),)) if request.path == "/" else Reply()

    endpoint.reply = redirect

    assert Egress(LOOPBACK).post(endpoint.url, b"", {}).status == status
    assert [request.path for request in endpoint.requests] == ["/"]


def test_the_certificate_must_be_valid_for_the_name_and_from_a_trusted_authority() -> None:
    authority = trustme.CA()
    with _tls(authority, "localhost") as right, _tls(authority, "other.example.org") as wrong:
        egress = Egress(LOOPBACK, context=_trusting(authority), resolver=FakeResolver(["127.0.0.1"]))
        assert egress.post(right.url, b"x", {}).status == 200
        with pytest.raises(MisconfiguredError, match="certificate"):
            egress.post(wrong.url, b"x", {})
        with pytest.raises(MisconfiguredError, match="certificate"):
            Egress(LOOPBACK, context=_trusting(trustme.CA()), resolver=FakeResolver(["127.0.0.1"])).post(
                right.url, b"x", {}
            )
        assert [len(right.requests), len(wrong.requests)] == [1, 0]


def test_https_to_an_endpoint_without_tls_is_unavailable(endpoint: Receiver) -> None:
    with pytest.raises(DeliveryDelayedError):
        Egress(LOOPBACK).post(endpoint.url.replace("http://", "https://"), b"", {})


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=repr
)
def test_an_answer_that_comes_drop_by_drop_ends_at_the_time_limit(start: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in while_patient():
            connection.sendall(start if start.endswith(b"\n") else b"0")
            time.sleep(0.01)

    with raw_endpoint(drip) as url:
        began = time.monotonic()
        with pytest.raises(DeliveryDelayedError, match="in time"):
            Egress(LOOPBACK).post(url, b"", {}, timeout=SHORT)
        assert SHORT <= time.monotonic() - began < MUCH_LATER


def test_a_body_that_comes_drop_by_drop_ends_at_the_time_limit_with_the_status_it_had() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 60000\r\n\r\n")
        for _ in while_patient():
            connection.sendall(b"0")
            time.sleep(0.01)

    def post() -> Answer:
        with raw_endpoint(drip) as url:
            return Egress(LOOPBACK).post(url, b"", {}, timeout=SHORT)

    answer = retried(post, DeliveryDelayedError)  # where this process stands still before it has the status
    assert answer.status == 202
    assert set(answer.body) <= set(b"0")


def test_an_answer_on_a_connection_that_stays_open_ends_with_its_length() -> None:
    released = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        released.wait(SECONDS)

    with raw_endpoint(answer) as url:
        began = time.monotonic()
        assert Egress(LOOPBACK).post(url, b"", {}, timeout=SECONDS) == Answer(200, None, b"{}")
        assert time.monotonic() - began < MUCH_LATER  # and not at the time limit
        released.set()


@pytest.mark.parametrize("framing", [b"Content-Length: 99999999", b"Connection: close", b"Transfer-Encoding: chunked"])
def test_an_endless_body_is_cut(framing: bytes) -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        for _ in while_patient():
            connection.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n" if b"chunked" in framing else bytes(0x4000))

    with raw_endpoint(flood) as url:
        answer = Egress(LOOPBACK).post(url, b"", {})
    assert answer == Answer(200, None, bytes(MAX_BODY_BYTES))


@pytest.mark.parametrize("line", [b"X: " + b"a" * 60_000 + b"\r\n", b"X" * 16_000, b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_endless_head_is_cut(line: bytes) -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" if b"100" not in line else b"")
        for _ in while_patient():
            connection.sendall(line)

    with raw_endpoint(flood) as url, pytest.raises(DeliveryDelayedError):
        Egress(LOOPBACK).post(url, b"", {})


def test_a_compressed_body_is_not_unpacked(endpoint: Receiver) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    endpoint.reply = lambda _request: Reply(200, bomb, (("Content-Encoding", "gzip"),))
    assert Egress(LOOPBACK).post(endpoint.url, b"", {}).body == bomb


def test_a_tls_handshake_that_comes_drop_by_drop_ends_at_the_time_limit() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # a ServerHello of 16 KiB
        for _ in while_patient():
            connection.sendall(b"\x03")
            time.sleep(0.01)

    with raw_endpoint(drip) as url:
        began = time.monotonic()
        with pytest.raises(DeliveryDelayedError):
            Egress(LOOPBACK).post(url.replace("http://", "https://"), b"", {}, timeout=SHORT)
        assert time.monotonic() - began < MUCH_LATER


def test_an_endpoint_that_never_reads_ends_at_the_time_limit() -> None:
    released = threading.Event()
    with raw_endpoint(lambda _connection: released.wait(SECONDS)) as url:
        with pytest.raises(DeliveryDelayedError, match="in time"):
            Egress(LOOPBACK).post(url, bytes(64_000_000), {}, timeout=SHORT)
        released.set()


def test_an_answer_counts_that_comes_before_the_request_was_read() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with raw_endpoint(refuse) as url:
        assert Egress(LOOPBACK).post(url, bytes(1_000_000), {}).status == 413


@pytest.mark.parametrize(
    "talk",
    [b"", CANARY, b"HTTP/1.1 " + CANARY, b"HTTP/9.9 999 " + CANARY + b"\r\n\r\n"],
    ids=repr,
)
def test_no_error_contains_a_part_of_the_answer_or_of_the_request(talk: bytes) -> None:
    answered = raw_endpoint(lambda connection: connection.sendall(talk))
    with answered as url, pytest.raises(DeliveryDelayedError) as failed:
        Egress(LOOPBACK).post(f"{url}?canary", b"canary", SECRET_HEADERS)
    message = f"{failed.value!r} {failed.value} {failed.value.__cause__!r}"
    assert "canary" not in message
    assert failed.value.__suppress_context__
    assert url not in message


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://10.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("http://siem.example.org/", "https://"),
        ("https://2130706433/", "a name without a dot"),
    ],
)
def test_a_url_that_can_never_be_reached_is_refused_when_a_stream_is_defined(url: str, problem: str) -> None:
    with pytest.raises(MisconfiguredError, match=problem):
        Egress(resolver=FakeResolver([])).check(url)


def test_a_definition_is_checked_without_the_network() -> None:
    resolver = FakeResolver([])
    Egress(LOOPBACK, resolver=resolver).check("http://siem.example.org/")
    Egress(LOOPBACK, resolver=resolver).check("http://127.0.0.1:8088/")
    Egress(resolver=resolver).check("https://siem.example.org/")
    assert resolver.questions == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 5000, 999_999_999),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30),
        ("Saturday, 31-Jan-26 12:00:30 GMT", 30),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("Sat, 31 Jan 2026 12:00:30", 30),
        ("-1", None),
        ("soon", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        ("Sat, 99 Jan 2026 12:00:30 GMT", None),
        ("Sat, 31 Jan 99999999 12:00:30 GMT", None),
        (f"Sat, 31 Jan {10**20} 12:00:30 GMT", None),
        (f"Sat, 31 Jan 2026 12:00:30 +{10**20}", None),
    ],
)
def test_a_pause_is_read_as_seconds_or_as_a_date(value: str | None, seconds: int | None) -> None:
    assert retry_after(value, datetime(2026, 1, 31, 12, tzinfo=UTC)) == seconds


def _tls(authority: trustme.CA, name: str) -> AbstractContextManager[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return receiver(context)


def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
