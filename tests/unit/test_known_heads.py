"""Known heads: a parser that knows a head makes the same of each sequence of bytes as one that does not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_runner.aws_events.proxy_event import HTTPRequest
from local_runner.http.known_heads import MOST_HEADS, PATIENCE, KnownHeads, Parts, split
from local_runner.http.parser import RequestParser

PLAIN = b"POST /event HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Length: 2\r\n\r\n{}"

HEADERS = st.sampled_from(
    [
        b"Host: b",
        b"content-type: application/json",
        b"Content-Length: 2",
        b"Content-Length: 02",
        b"content-length: 2",
        b"CONTENT-LENGTH: 2",
        b"Content-Length: +2",
        b"Content-Length:  2 ",
        b"Content-Length: 2, 2",
        b"X: \r\n Content-Length: 2",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Connection: close",
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Authorization: Bearer u",
        b"Idempotency-Key: k",
    ]
)
BODIES = st.sampled_from(
    [b"", b"{}", b"[1]", b"2\r\n{}\r\n0\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n", PLAIN, PLAIN[:-1]]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    line = draw(st.sampled_from([b"POST /event HTTP/1.1", b"POST /events?a=%41 HTTP/1.1", b"POST /event HTTP/1.0"]))
    headers = [b"Host: a", b"Authorization: Bearer t", *draw(st.lists(HEADERS, max_size=3))]
    body = draw(BODIES)
    if draw(st.booleans()):
        headers.append(b"Content-Length: %d" % (len(body) + draw(st.sampled_from([0, 0, 0, -1, 1]))))
    data = bytearray(b"\r\n".join([line, *headers]) + b"\r\n\r\n" + body)
    if draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from(b"\r\n :0123456789aZ\x00\xff"))
    return bytes(data)


def found(heads: KnownHeads, data: bytes, peer: str) -> Any:
    parts = split(data)
    return parts and heads.find(parts, peer)


def results(data: bytes, heads: KnownHeads, parser: RequestParser | None = None) -> list[Any]:
    parser = parser or RequestParser("192.0.2.1", lambda: None, heads)
    parser.feed(data)
    parsed = [(each.request, each.keep_alive, type(each.error), str(each.error)) for each in parser.parsed]
    return [parsed, parser.ended, parser.phase, type(parser.reason), str(parser.reason)]


@settings(max_examples=300)
@given(st.lists(requests(), min_size=1, max_size=6))
def test_a_known_head_is_read_as_an_unknown_one(each_sent: list[bytes]) -> None:
    heads = KnownHeads()
    results(PLAIN, heads)
    for data in each_sent * 3:
        assert results(data, heads) == results(data, KnownHeads())


@settings(max_examples=300)
@given(requests(), requests())
def test_a_request_after_a_known_head_is_read_as_after_an_unknown_one(known: bytes, after: bytes) -> None:
    heads = KnownHeads()
    results(known, heads)
    results(known, heads)
    both = []
    for memory in (heads, KnownHeads()):
        parser = RequestParser("192.0.2.1", lambda: None, memory)
        results(known, memory, parser)
        both.append(results(after, memory, parser) if not parser.ended else None)
    assert both[0] == both[1]


@pytest.mark.parametrize("body", [b"{}", b'{"a": [1, 2, 3]}', b"x" * 1000, b""])
def test_a_head_that_came_twice_is_known_with_a_body_of_any_length(body: bytes) -> None:
    heads = KnownHeads()
    results(PLAIN, heads)
    assert found(heads, PLAIN, "192.0.2.7") is None
    results(PLAIN, heads)
    request, size = found(heads, PLAIN[:-7] + b"%d\r\n\r\n" % len(body) + body, "192.0.2.7") or pytest.fail("not known")
    assert (request.body, request.source_ip) == (body, "192.0.2.7")
    assert request.headers["Content-Length"] == [str(len(body))]
    assert size > 2048 + len(body)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN + b"P",
        PLAIN.replace(b"Bearer", b"Basic"),
        PLAIN.replace(b"Host", b"Idempotency-Key: 1\r\nHost"),
        PLAIN.replace(b"Host", b"traceparent: 1\r\nHost"),
        PLAIN.replace(b"Host", b"Connection: close\r\nHost"),
        PLAIN.replace(b"Host: a", b"Host: " + b"a" * 4096),
    ],
)
def test_a_head_that_is_seen_once_or_holds_a_secret_is_not_remembered(data: bytes) -> None:
    heads = KnownHeads()
    for _ in range(3):
        results(data, heads)
    assert found(heads, data, "192.0.2.1") is None


class Counted(KnownHeads):
    """Counts the looks."""

    looks = 0

    def find(self, parts: Parts, peer: str) -> tuple[HTTPRequest, int] | None:
        self.looks += 1
        return super().find(parts, peer)


def test_a_connection_whose_heads_are_all_new_seldom_looks_for_them_until_one_is_known() -> None:
    heads = Counted()
    parser = RequestParser("192.0.2.1", lambda: None, heads)
    for number in range(10 * PATIENCE):
        parser.feed(PLAIN.replace(b"Bearer t", b"Bearer t%d" % number))
    assert heads.looks == PATIENCE + 9
    for _ in range(3 * PATIENCE):
        parser.feed(PLAIN)
    heads.looks = 0
    for _ in range(2 * PATIENCE):
        parser.feed(PLAIN)
    assert heads.looks == 2 * PATIENCE
    assert len(parser.parsed) == 15 * PATIENCE


def test_heads_beyond_the_limit_are_forgotten() -> None:
    heads = KnownHeads()
    for number in range(MOST_HEADS + 1):
        for _ in range(2):
            results(PLAIN.replace(b"Bearer t", b"Bearer t%d" % number), heads)
    assert found(heads, PLAIN.replace(b"Bearer t", b"Bearer t0"), "") is None
    assert found(heads, PLAIN.replace(b"Bearer t", b"Bearer t%d" % MOST_HEADS), "")
