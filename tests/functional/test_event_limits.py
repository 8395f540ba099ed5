"""One event is accepted or refused the same way by POST /event, in a JSON batch and in NDJSON."""

import json
from collections.abc import Callable

import pytest

from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from functions.get_event import get_event
from functions.http.limits import MAX_EVENT_BODY_BYTES, MAX_EVENT_BYTES
from functions.http.media_types import JSON, NDJSON
from tests.support.builders import new_event
from tests.support.fakes import Answer, FakeGateway, FakeQueue, FakeStore

GOOD = json.dumps(new_event()).encode()


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def alone(gateway: FakeGateway, event: bytes) -> str | None:
    answer = gateway.call(create_event, "POST", body=event, headers={"Content-Type": JSON})
    if answer.status == 202:
        return None
    return answer.json["errors"][0]["msg"] if answer.status == 422 else answer.json["detail"]  # type: ignore[no-any-return]


def in_json(gateway: FakeGateway, event: bytes) -> str | None:
    return in_the_middle(gateway, b'{"events": [%s, %s, %s]}' % (GOOD, event, GOOD), JSON)


def in_json_with_spaces(gateway: FakeGateway, event: bytes) -> str | None:
    return in_the_middle(gateway, b' {\n"events" :\t[ %s ,\r\n%s\n, %s ]\n}\n' % (GOOD, event, GOOD), JSON)


def in_lines(gateway: FakeGateway, event: bytes) -> str | None:
    return in_the_middle(gateway, b"\n".join([GOOD, event, GOOD]), NDJSON)


def in_the_middle(gateway: FakeGateway, body: bytes, media_type: str) -> str | None:
    """The message about the second of three events, or None if it was accepted; the others always are."""
    answer: Answer = gateway.call(create_events, "POST", "/events", body=body, headers={"Content-Type": media_type})
    assert answer.status == 202, answer.body
    accepted = [entry["index"] for entry in answer.json["accepted"]]
    if accepted == [0, 1, 2]:
        return None
    [rejected] = answer.json["rejected"]
    assert (accepted, rejected["index"]) == ([0, 2], 1)
    return rejected["errors"][0]["msg"]  # type: ignore[no-any-return]


WAYS = (alone, in_json, in_json_with_spaces, in_lines)


def with_data(data: str | bytes) -> bytes:
    data = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
    return b'{"event_type":"t","customer_id":1,"event_data":%s}' % data


def with_value(value: str) -> bytes:
    return with_data(f'{{"a":{value}}}')


def with_text(text: str) -> bytes:
    return with_value(f'"{text}"')


LARGEST = "x" * (MAX_EVENT_BYTES - len(with_text("")))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("event", "message"),
    [
        (with_data('{"n":16995394648344596114}'), "outside the signed 64-bit range"),
        (with_value("9" * 5000), "outside the signed 64-bit range"),
        (with_data('{"n":1e400}'), "too large for a double"),
        (with_data('{"n":NaN}'), "NaN is not JSON"),
        (with_data('{"a":1,"a":2}'), "the same member name twice"),
        (with_data(r'{"a":"\u0000"}'), "NUL character"),
        (with_data(r'{"a":"\ud800"}'), "lone surrogate"),
        (with_data('{"a":"\ud800"}'), "Not UTF-8"),
        (with_data(b'{"a":"\xff"}'), "Not UTF-8"),
        (with_data('{"a":"x\ty"}'), "Not JSON"),
        (with_value("[" * 127 + "]" * 127), "nested deeper than 128 levels"),
        (with_value("[" * 400 + "]" * 400), "nested deeper than 128 levels"),
        (with_text("x" * MAX_EVENT_BYTES), "at most 262144 are accepted"),
        (with_value("[" + ",".join(["1e15"] * 52_300) + "]"), "at most 262144 are accepted"),
        (b"null", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b"{}", "is required"),
        (with_data("null"), "must be a JSON object"),
        (with_data("[1]"), "must be a JSON object"),
        (with_data("{}"), "must not be empty"),
        (b'{"event_type":"","customer_id":1,"event_data":{"a":1}}', "must not be empty"),
        (b'{"event_type":1,"customer_id":1,"event_data":{"a":1}}', "must be a string"),
        (b'{"event_type":"t","customer_id":42.0,"event_data":{"a":1}}', "must be a JSON integer"),
        (b'{"event_type":"t","customer_id":"42","event_data":{"a":1}}', "must be a JSON integer"),
        (
            b'{"event_type":"t","customer_id":1,"timestamp_utc":"2026-01-01T00:00:00Z","event_data":{"a":1}}',
            "must be Unix seconds, an integer from 0 to 253402300799, such as 1767225600",
        ),
        (b'{"event_type":"t","customer_id":1,"timestamp_utc":null,"event_data":{"a":1}}', "leave the field out"),
        (b'{"event_type":"t","customer_id":1,"event_data":{"a":1},"ip":"::1"}', "put it into event_data"),
    ],
    ids=lambda value: value[:70] if isinstance(value, bytes) else None,
)
def test_a_wrong_event_is_refused_alone_and_the_same_way_everywhere(
    gateway: FakeGateway, way: Callable[[FakeGateway, bytes], str | None], event: bytes, message: str
) -> None:
    refusal = way(gateway, event)
    assert refusal is not None
    assert message in refusal


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "event",
    [
        with_value("[" * 126 + "]" * 126),
        with_text(LARGEST),
        with_text("é" + LARGEST[2:]),
        with_data(f' {{ "a" : "{LARGEST}" }} '),
        with_text(r"\u00e9" * 80_000),
    ],
    ids=["deepest", "largest", "largest, not ASCII", "largest, with spaces", "escaped"],
)
def test_what_is_just_within_the_limits_is_accepted_everywhere(
    gateway: FakeGateway, way: Callable[[FakeGateway, bytes], str | None], event: bytes
) -> None:
    assert way(gateway, event) is None


def test_the_body_of_one_event_has_a_limit_of_its_own(gateway: FakeGateway) -> None:
    for size, status in [(MAX_EVENT_BODY_BYTES, 202), (MAX_EVENT_BODY_BYTES + 1, 413)]:
        body = GOOD + b" " * (size - len(GOOD))
        assert gateway.call(create_event, "POST", body=body, headers={"Content-Type": JSON}).status == status


@pytest.mark.parametrize("way", WAYS)
def test_the_largest_event_can_be_sent_again_as_it_was_returned(
    gateway: FakeGateway, queue: FakeQueue, store: FakeStore, way: Callable[[FakeGateway, bytes], str | None]
) -> None:
    assert alone(gateway, with_text(LARGEST)) is None
    [accepted] = queue.events
    store.add([accepted])
    returned = gateway.call(get_event, path_parameters={"event_id": accepted.event_id}).json
    again = {name: value for name, value in returned.items() if name not in {"received_at", "recorded_by"}}
    assert way(gateway, json.dumps(again).encode()) is None
    assert [event.event_id for event in queue.events].count(accepted.event_id) == 2
