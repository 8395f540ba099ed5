import json
from typing import Any

import pytest

from core.wiring import Services
from functions.create_events import MAX_EVENTS, create_events
from functions.http.limits import MAX_BODY_BYTES, MAX_EVENT_BYTES
from functions.http.media_types import NDJSON
from tests.support.builders import new_event
from tests.support.fakes import Answer, FakeGateway, FakeQueue

GOOD = new_event()
BAD = new_event(customer_id="42")
AS_LINES = {"Content-Type": NDJSON}


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def post(gateway: FakeGateway, *events: object, **parts: Any) -> Answer:
    return gateway.call(create_events, "POST", "/events", **{"body": {"events": list(events)}, **parts})


def post_lines(gateway: FakeGateway, *lines: str, **headers: str) -> Answer:
    return post(gateway, body="\n".join(lines).encode(), headers={**AS_LINES, **headers})


def indexes(answer: Answer, which: str) -> list[int]:
    return [entry["index"] for entry in answer.json[which]]


def test_a_batch_is_in_the_queue_in_its_order(gateway: FakeGateway, queue: FakeQueue) -> None:
    answer = post(gateway, *(new_event(customer_id=number) for number in range(3)))
    assert answer.status == 202
    assert [event.customer_id for event in queue.events] == [0, 1, 2]
    assert answer.json == {
        "accepted": [{"index": index, "event_id": event.event_id} for index, event in enumerate(queue.events)],
        "rejected": [],
    }


def test_lines_of_json_are_a_batch_and_empty_ones_do_not_count(gateway: FakeGateway, queue: FakeQueue) -> None:
    lines = [json.dumps(new_event(customer_id=number)) for number in range(3)]
    answer = post_lines(gateway, "", lines[0] + "\r", "  ", lines[1], lines[2], "")
    assert (answer.status, indexes(answer, "accepted")) == (202, [0, 1, 2])
    assert [event.customer_id for event in queue.events] == [0, 1, 2]


def test_the_good_events_are_accepted_and_the_others_named_with_their_faults(
    gateway: FakeGateway, queue: FakeQueue
) -> None:
    answer = post(gateway, BAD, GOOD, 7, GOOD, new_event(extra=1))
    assert answer.status == 202
    assert indexes(answer, "accepted") == [1, 3]
    assert indexes(answer, "rejected") == [0, 2, 4]
    assert answer.json["rejected"][0]["errors"] == [
        {"loc": ["customer_id"], "msg": "must be a JSON integer, such as 42: no quotes, no fraction, no exponent"}
    ]
    assert len(queue.events) == 2


def test_a_line_that_is_not_json_is_rejected_alone(gateway: FakeGateway, queue: FakeQueue) -> None:
    answer = post_lines(gateway, json.dumps(GOOD), "{", '{"a": NaN}', json.dumps(GOOD))
    assert (indexes(answer, "accepted"), indexes(answer, "rejected")) == ([0, 3], [1, 2])
    assert "Not JSON" in answer.json["rejected"][0]["errors"][0]["msg"]
    assert len(queue.events) == 2


def test_when_nothing_is_accepted_every_fault_is_told_by_its_place(gateway: FakeGateway, queue: FakeQueue) -> None:
    answer = post(gateway, BAD, new_event(event_type=""))
    assert answer.status == 422
    assert list(answer.errors) == ["events.0.customer_id", "events.1.event_type"]
    assert queue.events == []


@pytest.mark.parametrize(
    "body", ["null", "[]", "{}", '{"events": {}}', '{"events": null}', '{"events": [], "more": 1}', '{"events": []}']
)
def test_what_is_no_batch_is_refused(gateway: FakeGateway, body: str) -> None:
    answer = post(gateway, body=body)
    assert (answer.status, list(answer.errors)) == (422, ["events"])


def test_no_lines_are_no_batch(gateway: FakeGateway) -> None:
    assert post_lines(gateway, "", " ").errors == {"events": "must have at least one event"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        '{"events": []} {}',
        '{"events": [{]}',
        '{"events": [NaN}',
        '{"events": [NaN,]}',
        '{"events": [NaN] ',
        '{"events": [NaN]} {}',
        '{"events": [NaN], "events": [1]}',
        '{"events": [NaN, 1 2]}',
        "[NaN]",
        '{"events": [' + "[" * 100_000,
    ],
    ids=lambda body: body[:40],
)
def test_a_batch_that_is_not_json_is_refused(gateway: FakeGateway, queue: FakeQueue, body: str) -> None:
    assert post(gateway, body=body).status == 400
    assert queue.events == []


def test_an_array_alone_is_refused_with_what_to_send(gateway: FakeGateway) -> None:
    answer = post(gateway, body=[GOOD])
    assert (answer.status, list(answer.errors)) == (422, ["events"])
    assert 'send {"events": [...]}' in answer.errors["events"]


def test_a_batch_may_have_as_many_events_as_the_limit_and_not_more(gateway: FakeGateway, queue: FakeQueue) -> None:
    assert len(post(gateway, *[GOOD] * MAX_EVENTS).json["accepted"]) == MAX_EVENTS
    queue.events.clear()
    answer = post(gateway, *[GOOD] * (MAX_EVENTS + 1))
    assert (answer.status, answer.errors) == (422, {"events": "must have at most 1000 events: split the batch"})
    assert queue.events == []


def test_an_event_that_is_too_large_is_rejected_alone(gateway: FakeGateway) -> None:
    large = new_event(event_data={"a": "x" * MAX_EVENT_BYTES})
    for answer in [post(gateway, large, GOOD), post_lines(gateway, json.dumps(large), json.dumps(GOOD))]:
        assert (indexes(answer, "accepted"), indexes(answer, "rejected")) == ([1], [0])
        assert "at most 262144 are accepted" in answer.json["rejected"][0]["errors"][0]["msg"]


def test_a_batch_that_is_too_large_is_refused(gateway: FakeGateway) -> None:
    assert post(gateway, body=b" " * (MAX_BODY_BYTES + 1), headers=AS_LINES).status == 413


def test_a_queue_without_room_for_all_takes_none(gateway: FakeGateway, queue: FakeQueue) -> None:
    queue.capacity = 2
    answer = post(gateway, GOOD, GOOD, GOOD)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert queue.events == []
    assert post(gateway, GOOD, GOOD).status == 202


def test_an_idempotency_key_gives_each_place_of_a_batch_its_own_id(gateway: FakeGateway) -> None:
    key = {"Idempotency-Key": "key"}
    first, again = (post(gateway, GOOD, BAD, GOOD, headers=key).json["accepted"] for _ in range(2))
    assert first == again
    assert len({entry["event_id"] for entry in first}) == 2
    assert post_lines(gateway, *[json.dumps(GOOD)] * 3, **key).json["accepted"][::2] == first


def test_an_event_for_another_customer_is_rejected_alone(services: Services, queue: FakeQueue) -> None:
    answer = post(FakeGateway(services, customers=[42]), GOOD, new_event(customer_id=43), GOOD)
    assert (answer.status, indexes(answer, "accepted"), indexes(answer, "rejected")) == (202, [0, 2], [1])
    assert answer.json["rejected"][0]["errors"][0]["loc"] == ["customer_id"]
    assert [event.customer_id for event in queue.events] == [42, 42]


def test_a_batch_for_other_customers_alone_is_forbidden(services: Services, queue: FakeQueue) -> None:
    gateway = FakeGateway(services, customers=[42])
    answer = post(gateway, new_event(customer_id=43), new_event(customer_id=44))
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (
        403,
        'Bearer error="insufficient_scope", scope="events:write"',
    )
    mixed = post(gateway, new_event(customer_id=43), BAD)
    assert (mixed.status, list(mixed.errors)) == (422, ["events.0.customer_id", "events.1.customer_id"])
    assert queue.events == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/json; charset=ascii"])
def test_another_media_type_is_refused(gateway: FakeGateway, media_type: str) -> None:
    answer = post(gateway, GOOD, headers={"Content-Type": media_type})
    assert answer.status == 415
    assert "application/json or application/x-ndjson" in answer.json["detail"]


def test_a_batch_needs_a_token(gateway: FakeGateway, queue: FakeQueue) -> None:
    assert post(gateway, GOOD, token=None).status == 401
    assert queue.events == []
