"""Bodies in gzip and deflate, and with a byte order mark, through the handlers that read bodies."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest

from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from functions.http.content_coding import CODINGS
from functions.http.limits import MAX_BODY_BYTES
from functions.http.media_types import JSON, NDJSON
from functions.oauth_token import FORM, oauth_token
from tests.support.builders import new_event
from tests.support.fakes import Answer, FakeGateway, FakeQueue

EVENT = json.dumps(new_event()).encode()
BATCH = json.dumps({"events": [new_event(), new_event()]}).encode()
GIBIBYTE = 1024 * 1024 * 1024
BOM = b"\xef\xbb\xbf"


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def post(gateway: FakeGateway, body: bytes, coding: str | None, media_type: str = JSON, **parts: Any) -> Answer:
    headers = {"Content-Type": media_type, **({} if coding is None else {"Content-Encoding": coding})}
    path, operation = ("/event", create_event) if body and media_type == JSON else ("/events", create_events)
    return gateway.call(operation, "POST", path, body=body, headers=headers, **parts)


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_a_body_in_a_coding_that_is_accepted_is_decoded(
    gateway: FakeGateway, queue: FakeQueue, coding: str, compress: Any
) -> None:
    assert post(gateway, compress(EVENT), coding).status == 202
    assert post(gateway, compress(EVENT + b"\n" + EVENT), coding, NDJSON).status == 202
    headers = {"Content-Type": JSON, "Content-Encoding": coding}
    assert gateway.call(create_events, "POST", "/events", body=compress(BATCH), headers=headers).status == 202
    assert [event.event_data for event in queue.events] == [new_event()["event_data"]] * 5


def test_the_members_of_a_gzip_file_are_one_body(gateway: FakeGateway, queue: FakeQueue) -> None:
    body = b"".join(gzip.compress(part) for part in (EVENT[:9], b"", EVENT[9:]))
    assert post(gateway, body, "gzip").status == 202
    assert len(queue.events) == 1


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: EVENT,
        lambda _: b"\x1f\x8b",
        lambda compressed: compressed[:-1],
        lambda compressed: compressed[: len(compressed) // 2],
        lambda compressed: compressed + b"more",
        lambda compressed: compressed[:20] + b"\xff\xff" + compressed[22:],
    ],
    ids=["plain", "a beginning", "a byte is missing", "half", "followed by more", "changed"],
)
def test_a_body_that_is_not_in_its_coding_is_malformed(
    gateway: FakeGateway, queue: FakeQueue, coding: str, damage: Any
) -> None:
    compressed = (gzip.compress if coding == "gzip" else zlib.compress)(EVENT)
    answer = post(gateway, damage(compressed), coding)
    assert (answer.status, queue.events) == (400, [])
    assert f"is not {coding}, as Content-Encoding says" in answer.json["detail"]


@pytest.mark.parametrize("coding", CODINGS)
def test_no_body_is_in_no_coding(gateway: FakeGateway, coding: str) -> None:
    assert post(gateway, b"", coding, NDJSON).status == 400


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, deflate", "*", "gzip;q=1"])
def test_another_coding_is_refused_with_those_that_are_accepted(
    gateway: FakeGateway, queue: FakeQueue, coding: str
) -> None:
    answer = post(gateway, EVENT, coding)
    assert (answer.status, answer.headers["Accept-Encoding"], queue.events) == (415, "gzip, deflate", [])
    assert "gzip or deflate" in answer.json["detail"]


@pytest.mark.parametrize("coding", [*CODINGS, "br"])
def test_a_form_is_not_decoded_before_its_client_is_known(gateway: FakeGateway, coding: str) -> None:
    form = gzip.compress(b"grant_type=client_credentials")
    headers = {"Content-Type": FORM, "Content-Encoding": coding}
    answer = gateway.call(oauth_token, "POST", "/oauth2/token", body=form, headers=headers, token=None)
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "identity")


@pytest.mark.parametrize("coding", CODINGS)
def test_a_small_body_that_becomes_a_large_one_is_refused_in_little_memory(gateway: FakeGateway, coding: str) -> None:
    compressor = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    first, other = (compressor.compress(bytes(GIBIBYTE // 64)) + compressor.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + other * 63  # without its checksum, which is after the limit
    assert len(bomb) < MAX_BODY_BYTES
    tracemalloc.start()
    try:
        answer = post(gateway, bomb, coding, NDJSON)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 413
    assert peak < 8 * MAX_BODY_BYTES


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_body_may_be_as_large_as_the_limit_once_it_is_decoded(gateway: FakeGateway, coding: str | None) -> None:
    for size, status in [(MAX_BODY_BYTES, 202), (MAX_BODY_BYTES + 1, 413)]:
        lines = EVENT + b"\n" * (size - len(EVENT))
        assert post(gateway, gzip.compress(lines) if coding else lines, coding, NDJSON).status == status


def test_nothing_is_decoded_without_a_token(gateway: FakeGateway) -> None:
    assert post(gateway, EVENT, "gzip", token=None).status == 401


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_byte_order_mark_is_ignored(gateway: FakeGateway, queue: FakeQueue, coding: str | None) -> None:
    for body, media_type in [(EVENT, JSON), (EVENT + b"\n" + EVENT, NDJSON)]:
        marked = BOM + body
        assert post(gateway, gzip.compress(marked) if coding else marked, coding, media_type).status == 202
    assert len(queue.events) == 3


def test_a_byte_order_mark_inside_of_a_body_is_not_json(gateway: FakeGateway) -> None:
    answer = post(gateway, EVENT + b"\n" + BOM + EVENT, None, NDJSON)
    assert [entry["index"] for entry in answer.json["rejected"]] == [1]
    assert post(gateway, BOM + BOM + EVENT, None).status == 400
