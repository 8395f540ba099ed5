"""Request smuggling and malformed HTTP: one reading of every request, or none."""

import json
from collections.abc import Iterator

import pytest

from tests.support.builders import new_event
from tests.support.raw import connect, exchange, post_event, read_to_end, statuses
from tests.support.service import Service, get

EVENT = json.dumps(new_event(event_type="smuggling")).encode()
LENGTH = b"Content-Length: %d" % len(EVENT)
CHUNKED = b"Transfer-Encoding: chunked"
CLOSE = b"Connection: close"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    return service.token()


@pytest.fixture(autouse=True)
def _goes_on(service: Service) -> Iterator[None]:
    """Whatever a test has sent: the service answers the next one, and has no stack trace to show."""
    yield
    assert get(f"{service.url}/health").status_code == 200
    assert "Traceback" not in service.log


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param([b"Content-Length: 5", b"Content-Length: 6"], EVENT, id="two different lengths"),
        pytest.param([LENGTH + b", 5"], EVENT, id="two lengths in one header"),
        pytest.param([b"Content-Length: +%d" % len(EVENT)], EVENT, id="a length with a sign"),
        pytest.param([b"Content-Length: -1"], EVENT, id="a negative length"),
        pytest.param([b"Content-Length: 0x10"], EVENT, id="a length in hex"),
        pytest.param([b"Content-Length: 184467440737095516160"], EVENT, id="a length beyond 64 bits"),
        pytest.param([b"Content-Length: "], EVENT, id="a length of nothing"),
        pytest.param([b"Content-Length : 5"], EVENT, id="a space before the colon of a length"),
        pytest.param([b"Transfer-Encoding : chunked", LENGTH], EVENT, id="a space before the colon of a coding"),
        pytest.param([b"Transfer-Encoding: xchunked"], CHUNKS, id="a coding that is almost chunked"),
        pytest.param([b"Transfer-Encoding: \x0bchunked", LENGTH], CHUNKS, id="a coding behind a vertical tab"),
        pytest.param([b"Transfer-Encoding: chunked, identity"], CHUNKS, id="chunked is not the last coding"),
        pytest.param([b"Transfer-Encoding: identity", LENGTH], EVENT, id="a coding of old"),
        pytest.param([b"X-Folded: a\r\n b", LENGTH], EVENT, id="a folded header"),
        pytest.param([b"X-Space : a", LENGTH], EVENT, id="a space before a colon"),
        pytest.param([b"X-Nul: a\0b", LENGTH], EVENT, id="NUL in a header"),
        pytest.param([b"X-Return: a\rX-Other: b", LENGTH], EVENT, id="a lone CR in a header"),
        pytest.param([b"X(Paren): a", LENGTH], EVENT, id="a name that is no token"),
        pytest.param([b": a", LENGTH], EVENT, id="no name"),
    ],
)
def test_headers_that_two_readers_could_take_differently_are_refused(
    service: Service, token: str, headers: list[bytes], body: bytes
) -> None:
    assert statuses(exchange(service.port, post_event(token, *headers, body=body + SMUGGLED))) == [400]


@pytest.mark.parametrize(
    "order", [(b"Content-Length: 5", CHUNKED), (CHUNKED, b"Content-Length: 5")], ids=["CL.TE", "TE.CL"]
)
def test_a_length_beside_a_transfer_encoding_is_refused(
    service: Service, token: str, order: tuple[bytes, bytes]
) -> None:
    """RFC 9112 section 6.1. What follows the body on the connection is not taken for a request."""
    answer = exchange(service.port, post_event(token, *order, body=CHUNKS + SMUGGLED))
    assert statuses(answer) == [400]
    assert b"connection: close" in answer.lower()


def test_a_length_within_the_body_of_another_request_is_no_request(service: Service, token: str) -> None:
    body = json.dumps(new_event(event_data={"text": SMUGGLED.decode()})).encode()
    request = post_event(token, b"Content-Length: %d" % len(body), CLOSE, body=body)
    assert statuses(exchange(service.port, request)) == [202]


def test_requests_that_follow_each_other_are_answered_in_order(service: Service, token: str) -> None:
    first, second = post_event(token, LENGTH, body=EVENT), post_event(token, CHUNKED, body=CHUNKS)
    last = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert statuses(exchange(service.port, first + second + last)) == [202, 202, 404]


def test_the_body_of_a_refused_request_is_not_taken_for_the_next_one(service: Service) -> None:
    request = post_event("wrong", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED)
    answer = exchange(service.port, request + post_event("wrong", b"Content-Length: 0", CLOSE))
    assert statuses(answer) == [401, 401]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"zz\r\n", id="no size"),
        pytest.param(b"-1\r\n" + EVENT, id="negative"),
        pytest.param(b"0x%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT), id="0x"),
        pytest.param(b"f" * 17 + b"\r\n" + EVENT, id="beyond 64 bits"),
        pytest.param(b"%x;a\nb\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT), id="a bare LF in an extension"),
        pytest.param(b"%x\r\n%sXX0\r\n\r\n" % (len(EVENT), EVENT), id="no CRLF after the chunk"),
        pytest.param(b"%x\r\n%s\r\nzz\r\n" % (len(EVENT), EVENT), id="a whole event, then no size"),
        pytest.param(CHUNKS[:-2] + b"X-Trailer: a\r\n\r\n", id="trailers"),
    ],
)
def test_a_malformed_chunked_body_is_refused_and_what_came_of_it_is_not_recorded(
    service: Service, token: str, body: bytes
) -> None:
    answer = exchange(service.port, post_event(token, CHUNKED, CLOSE, body=body))
    assert statuses(answer) == [400]
    assert b"broke off" in answer


@pytest.mark.parametrize(
    "begun",
    [(CHUNKED, b"%x\r\n%s\r\n" % (len(EVENT), EVENT)), (b"Content-Length: %d" % (len(EVENT) + 1), EVENT)],
    ids=["chunked", "with a length"],
)
def test_an_event_whose_body_breaks_off_is_not_recorded(
    service: Service, token: str, begun: tuple[bytes, bytes]
) -> None:
    header, body = begun
    with connect(service.port, post_event(token, header, body=body)) as connection:
        connection.shutdown(1)  # this side has said all it will
        assert statuses(read_to_end(connection)) == [400]


def test_a_bare_line_feed_ends_a_line_for_every_header_alike(service: Service, token: str) -> None:
    """RFC 9112 section 2.2 allows that; it must not hide a header."""
    request = post_event(token, b"X-A: b\nContent-Length: 5", LENGTH, body=EVENT)
    assert statuses(exchange(service.port, request)) == [400]


def test_a_header_with_an_underscore_does_not_pass_for_one_with_a_hyphen(service: Service, token: str) -> None:
    honest = post_event(token, b"Content_Length: 3", b"Content_Type: text/plain", LENGTH, CLOSE, body=EVENT)
    assert statuses(exchange(service.port, honest)) == [202]
    keyed = post_event(token, b"Idempotency_Key: spaces are refused", LENGTH, CLOSE, body=EVENT)
    assert statuses(exchange(service.port, keyed)) == [202]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Idempotency-Key: caf\xe9", 422),
        (b"Idempotency-Key: caf\xc3\xa9", 422),
        (b"Authorization: Bearer \xe9", 401),
        (b"Content-Type: application/json; charset=\xe9", 415),
        (b"X-City: Z\xc3\xbcrich", 202),  # never read: proxies add such headers
    ],
    ids=["Idempotency-Key", "the same in UTF-8", "Authorization", "Content-Type", "another"],
)
def test_a_header_beyond_ascii_is_not_taken_as_missing(
    service: Service, token: str, header: bytes, status: int
) -> None:
    name = header.partition(b":")[0]
    lines = post_event(token, LENGTH, CLOSE, body=EVENT).split(b"\r\n")
    request = b"\r\n".join([lines[0], header, *(line for line in lines[1:] if not line.startswith(name))])
    assert statuses(exchange(service.port, request)) == [status]


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"GET /health\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2"),
    ],
)
def test_what_is_not_http_1_is_refused(service: Service, garbage: bytes) -> None:
    assert statuses(exchange(service.port, garbage)) == [400]


def test_a_request_to_change_to_websockets_is_answered_like_any_other(service: Service) -> None:
    upgrade = (
        b"Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"
    )
    answer = exchange(service.port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
    assert statuses(answer) == [200]
