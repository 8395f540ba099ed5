"""Input takes time in proportion to its length, wherever it stands in a request."""

import base64
import gzip
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from core.settings import Settings
from core.stores.migrations.upgrade import migrate
from core.wiring import Services
from functions.http.request import Request
from local_runner.http.application import Application
from local_runner.http.known_heads import KnownHeads
from local_runner.http.parser import RequestParser
from tests.conftest import SECRET
from tests.support.fakes import FakeQueue
from tests.support.raw import connect, read_to_end, statuses
from tests.support.service import Service
from tests.support.waiting import until

LENGTH = 60_000
"""Of the part of a request that is under test; a head may have 64 KiB in all."""
PROCESSOR_SECONDS = 2.0
"""For such a request. The slowest needs 0.05 s; a quadratic match of Content-Type needed 13 s."""
HEALTH_SECONDS = 30.0
"""For GET /health while four such requests are processed; with the quadratic match it took 54 s."""

FORM = b"Content-Type: application/x-www-form-urlencoded"
JSON = b"Content-Type: application/json"
NDJSON = b"Content-Type: application/x-ndjson"
EVENT = b'{"event_type": "user.login", "customer_id": 42, "event_data": {"a": %b}}'
REPEATED = (
    b" ", b"\t", b"\n", b" ;", b"; ", b",", b"=", b'"', b"\\", b'\\"', b"\\u0000", b"\\ud800", b"a", b"A", b"1", b"0.",
    b"-", b"_", b"+", b"%", b"%41", b"%00", b"%22", b"%5c", b"%ff", b"/", b"/a", b".", b".a", b"[", b"[0]", b"]", b"{",
    b'{"a":', b"[],", b"1,", b"&", b"a&", b"a=b&", b":", b"@", b"?", b"\xff", b"\xc3\xa9", b"\0", b"charset=utf-8;",
    b"timestamp_start_ut&",
)  # fmt: skip
ENDS = (b"", b"x", b'"', b"\0")

Build = Callable[[bytes, bytes], bytes]
"""A request, of a token and the part under test."""


def get(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target.replace(b" ", b"+") + b" HTTP/1.1", b"Host: localhost", *headers, b"", b""])


def post(target: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    lines = [
        b"POST " + target + b" HTTP/1.1",
        b"Host: localhost",
        b"Content-Length: %d" % len(body),
        *headers,
        b"",
        body,
    ]
    return b"\r\n".join(lines)


def query(path: bytes, text: bytes) -> Build:
    return lambda token, part: get(path + b"?" + text.replace(b"*", part), b"Authorization: Bearer " + token)


def event(token: bytes, *headers: bytes, body: bytes = EVENT % b"1") -> bytes:
    return post(b"/event", b"Authorization: Bearer " + token, *headers, body=body)


def encoded(part: bytes, altchars: bytes = b"-_") -> bytes:
    """Base64 without padding, of as much as makes `LENGTH` at most."""
    whole = part[: LENGTH // 4 * 3]
    return base64.b64encode(whole[: len(whole) // 3 * 3], altchars)


PLACES: dict[str, Build] = {
    "media type": lambda _, part: post(b"/oauth2/token", b"Content-Type: " + part),
    "after the media type": lambda _, part: post(b"/oauth2/token", FORM + part),
    "charset": lambda token, part: event(token, b'Content-Type: application/json; charset="' + part),
    "scheme": lambda _, part: get(b"/event", b"Authorization: " + part),
    "bearer token": lambda _, part: get(b"/event", b"Authorization: Bearer " + part),
    "header of a token": lambda _, part: get(
        b"/event", b"Authorization: Bearer " + encoded(b'{"alg":"HS256","kid":' + part) + b".e30.AAAA"
    ),
    "basic": lambda _, part: get(b"/access-token", b"Authorization: Basic " + part),
    "client id": lambda _, part: get(b"/access-token", b"Authorization: Basic " + encoded(part, b"+/")),
    "client secret": lambda _, part: get(b"/access-token", b"Authorization: Basic " + encoded(b"a:" + part, b"+/")),
    "content coding": lambda token, part: event(token, JSON, b"Content-Encoding: " + part),
    "members of a gzip file": lambda token, part: event(
        token, JSON, b"Content-Encoding: gzip", body=gzip.compress(part[:10]) * (2 * LENGTH // 20)
    ),
    "idempotency key": lambda token, part: event(token, JSON, b"Idempotency-Key: " + part),
    "traceparent": lambda _, part: get(b"/health", b"traceparent: 01-" + b"1" * 32 + b"-" + b"1" * 16 + b"-01" + part),
    "tracestate": lambda _, part: get(b"/health", b"tracestate: " + part),
    "origin": lambda _, part: get(b"/health", b"Origin: " + part),
    "accept": lambda _, part: get(b"/health", b"Accept: " + part),
    "connection": lambda _, part: get(b"/health", b"Connection: " + part),
    "expect": lambda token, part: event(token, b"Expect: " + part),
    "content length": lambda _, part: b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + part + b"\r\n\r\n",
    "name of a header": lambda _, part: get(b"/health", part + b": 1"),
    "method": lambda _, part: part + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "target of an unknown method": lambda _, part: b"SOME /" + part + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "path": lambda _, part: get(b"/" + part),
    "path of a file": lambda _, part: get(b"/docs/" + part),
    "event id": lambda token, part: get(b"/event/" + part, b"Authorization: Bearer " + token),
    "absolute target": lambda _, part: get(b"http://" + part),
    "parameters": query(b"/event", b"*"),
    "parameters of an export": query(b"/event/export", b"*"),
    "event type": query(b"/event", b"event_type=*"),
    "customer": query(b"/event", b"customer_id=*"),
    "time": query(b"/event", b"timestamp_start_utc=*"),
    "path into the data": query(b"/event", b"event_data.a*=1"),
    "value in the data": query(b"/event/summary", b"event_data.a=*"),
    "number in the data": query(b"/event", b"event_data.a=1.*"),
    "string in the data": query(b"/event", b'event_data.a="*'),
    "cursor": query(b"/event", b"cursor=*"),
    "inside a cursor": lambda token, part: query(
        b"/event", b"cursor=" + encoded(b'{"listing":"","position":{"timestamp_utc":' + part)
    )(token, b""),
    "form": lambda _, part: post(b"/oauth2/token", FORM, body=part[:16_000]),
    "scope": lambda _, part: post(b"/oauth2/token", FORM, body=b"grant_type=client_credentials&scope=" + part[:16_000]),
    "event": lambda token, part: event(token, JSON, body=part * 4),
    "number": lambda token, part: event(token, JSON, body=EVENT % (b"1" + part * 4)),
    "fraction": lambda token, part: event(token, JSON, body=EVENT % (b"0." + part * 4)),
    "array": lambda token, part: event(token, JSON, body=EVENT % (b"[" + part * 4)),
    "string": lambda token, part: event(token, JSON, body=EVENT % (b'"' + part * 4 + b'"')),
    "lines": lambda token, part: post(b"/events", NDJSON, b"Authorization: Bearer " + token, body=part * 4),
}  # fmt: skip


@dataclass
class House:
    """The parser and the application of a service with registered clients, without its sockets and threads."""

    application: Application
    token: bytes

    def seconds(self, request: bytes) -> float:
        """The processor time that a request takes, which may be refused, but not by a fault of the service.

        Asked again where this process stands still for longer than a read may take.
        """
        answered, taken = until(lambda: self._answered(request))
        assert all(status < 500 for status in answered), answered
        return float(taken)

    def _answered(self, request: bytes) -> tuple[list[int], float] | None:
        answered: list[int] = []
        started = time.thread_time()
        reader = RequestParser("127.0.0.1", on_expectation=lambda: None, heads=KnownHeads())
        reader.feed(request)
        while reader.parsed:
            parsed = reader.take()
            answered.append(self.application.answer(parsed.request, parsed.error).status)
        taken = time.thread_time() - started
        return None if 503 in answered else (answered, taken)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = Settings.from_environ(
        {
            "AUDIT_LOG_DATA_DIR": str(tmp_path_factory.mktemp("linear")),
            "AUDIT_LOG_JWT_SECRET": SECRET,
            "AUDIT_LOG_AUTH": "clients",
            "AUDIT_LOG_RATE_LIMIT_FAILED_LOGINS": "1000000/minute",
        }
    )
    services = Services(settings, publisher=FakeQueue(capacity=1_000_000), checks={})
    migrate(services.database.engine)
    token, _ = services.issuer.issue("tests")
    yield House(Application(services), token.encode())
    services.close()


@pytest.mark.parametrize("place", PLACES)
def test_input_without_end_takes_linear_time(house: House, place: str) -> None:
    for repeated in REPEATED:
        for end in ENDS:
            part = repeated * (LENGTH // len(repeated)) + end
            assert house.seconds(PLACES[place](house.token, part)) < PROCESSOR_SECONDS, (repeated, end)


def test_a_header_in_thousands_of_spellings_takes_linear_time() -> None:
    """As Lambda may be given it; a server on this machine makes one header of them."""
    spellings = [
        "".join(letters) for letters in itertools.product(*zip("abcdefghijklmnop", "ABCDEFGHIJKLMNOP", strict=True))
    ]
    started = time.thread_time()
    request = Request.from_event({"multiValueHeaders": {spelling: ["1"] for spelling in spellings}})
    assert time.thread_time() - started < PROCESSOR_SECONDS
    assert [len(values) for values in request.headers.values()] == [len(spellings)]


def test_health_answers_while_content_types_without_end_are_read(service: Service) -> None:
    request = post(b"/oauth2/token", b"Connection: close", FORM + b" " * 64_000 + b"x")
    with ExitStack() as connections:
        posting = [connections.enter_context(connect(service.port, request)) for _ in range(4)]
        assert httpx.get(f"{service.url}/health", timeout=HEALTH_SECONDS).status_code == 200
        assert [statuses(read_to_end(connection)) for connection in posting] == [[415]] * 4
