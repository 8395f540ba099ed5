"""A repeat with other content is refused at once if this process accepted the first event, else by the store."""

import json
from typing import Any

import pytest

from core.ports.store import Outcome
from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from functions.http.media_types import NDJSON
from tests.support.builders import new_event
from tests.support.fakes import Answer, FakeClock, FakeGateway, FakeQueue, FakeStore

EVENT_ID = "018f6b2e-7c1a-7d3e-9f00-0123456789ab"
KEY = {"Idempotency-Key": "order-7-paid"}
FIRST = new_event(event_data={"order": 7})
OTHER = new_event(event_data={"order": 8})


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def post(gateway: FakeGateway, event: object, **parts: Any) -> Answer:
    return gateway.call(create_event, "POST", body=event, **parts)


def post_batch(gateway: FakeGateway, *events: object, **parts: Any) -> Answer:
    return gateway.call(create_events, "POST", "/events", body={"events": list(events)}, **parts)


def test_a_key_with_another_body_is_refused_and_named(gateway: FakeGateway, queue: FakeQueue) -> None:
    event_id = post(gateway, FIRST, headers=KEY).json["event_id"]
    answer = post(gateway, OTHER, headers=KEY)
    assert (answer.status, list(answer.errors)) == (422, ["Idempotency-Key"])
    assert event_id in answer.errors["Idempotency-Key"]
    assert "other content" in answer.json["detail"]
    assert [event.event_data for event in queue.events] == [{"order": 7}]


def test_an_id_with_another_body_is_refused_and_named(gateway: FakeGateway, queue: FakeQueue) -> None:
    assert post(gateway, {**FIRST, "event_id": EVENT_ID}).status == 202
    for other in (OTHER, {**FIRST, "customer_id": 43}, {**FIRST, "event_type": "x"}, {**FIRST, "timestamp_utc": 1}):
        answer = post(gateway, {**other, "event_id": EVENT_ID.upper()})
        assert (answer.status, list(answer.errors)) == (422, ["event_id"])
    assert len(queue.events) == 1


def test_a_repeat_is_accepted_again_whenever_it_comes(services: Services, gateway: FakeGateway) -> None:
    services.clock = clock = FakeClock(services.clock())
    ids = set()
    for _ in range(3):
        ids.add(post(gateway, FIRST, headers=KEY).json["event_id"])
        clock.now += 3600
    assert len(ids) == 1


def test_what_was_not_accepted_is_no_first_event(gateway: FakeGateway, queue: FakeQueue) -> None:
    queue.capacity = 0
    assert post(gateway, FIRST, headers=KEY).status == 503
    assert post_batch(gateway, {**FIRST, "event_id": EVENT_ID}).status == 503
    queue.capacity = 10
    assert post(gateway, OTHER, headers=KEY).status == 202
    assert post(gateway, {**OTHER, "event_id": EVENT_ID}).status == 202


def test_in_a_batch_the_conflict_alone_is_rejected(gateway: FakeGateway, queue: FakeQueue) -> None:
    assert post(gateway, {**FIRST, "event_id": EVENT_ID}).status == 202
    answer = post_batch(gateway, FIRST, {**OTHER, "event_id": EVENT_ID}, {**FIRST, "event_id": EVENT_ID})
    assert [entry["index"] for entry in answer.json["accepted"]] == [0, 2]
    [rejected] = answer.json["rejected"]
    assert (rejected["index"], rejected["errors"][0]["loc"]) == (1, ["event_id"])
    assert OTHER["event_data"] not in [event.event_data for event in queue.events]


def test_within_a_batch_the_first_content_counts(gateway: FakeGateway, queue: FakeQueue) -> None:
    first, other = {**FIRST, "event_id": EVENT_ID}, {**OTHER, "event_id": EVENT_ID}
    answer = post_batch(gateway, first, other, first)
    assert [entry["index"] for entry in answer.json["rejected"]] == [1]
    assert post(gateway, other).status == 422
    assert [event.event_data for event in queue.events] == [FIRST["event_data"]]


def test_a_batch_sent_again_in_another_order_conflicts_with_itself(gateway: FakeGateway, queue: FakeQueue) -> None:
    assert post_batch(gateway, FIRST, OTHER, headers=KEY).status == 202
    answer = post_batch(gateway, OTHER, FIRST, headers=KEY)
    assert (answer.status, list(answer.errors)) == (422, ["events.0.Idempotency-Key", "events.1.Idempotency-Key"])
    lines = "\n".join(json.dumps(event) for event in (FIRST, OTHER)).encode()
    same = gateway.call(create_events, "POST", "/events", body=lines, headers={**KEY, "Content-Type": NDJSON})
    assert (same.status, same.json["rejected"]) == (202, [])
    assert {event.event_id for event in queue.events} == {entry["event_id"] for entry in same.json["accepted"]}


def test_a_conflict_that_another_process_accepts_is_found_by_the_store(
    services: Services, queue: FakeQueue, store: FakeStore
) -> None:
    other_process = Services(services.settings, publisher=queue)
    assert post(FakeGateway(services), FIRST, headers=KEY).status == 202
    assert post(FakeGateway(other_process), OTHER, headers=KEY).status == 202
    assert store.add(queue.events) == [Outcome.STORED, Outcome.CONFLICT]


def test_accepting_asks_no_store(services: Services, store: FakeStore) -> None:
    store.down = True
    gateway = FakeGateway(services)
    assert post(gateway, FIRST, headers=KEY).status == 202
    assert post(gateway, OTHER, headers=KEY).status == 422
