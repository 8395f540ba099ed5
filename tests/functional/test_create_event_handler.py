import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from core.auth.tokens import READ
from core.domain.models import Event
from core.wiring import Services
from functions.create_event import create_event
from functions.http.limits import MAX_EVENT_BYTES
from functions.http.request_body import MAX_ERRORS
from tests.support.builders import new_event
from tests.support.fakes import Answer, FakeClock, FakeGateway, FakeQueue

SAMPLES = Path(__file__).parents[1] / "events"


@pytest.fixture
def gateway(services: Services) -> FakeGateway:
    return FakeGateway(services)


def post(gateway: FakeGateway, body: object = None, **parts: Any) -> Answer:
    return gateway.call(create_event, "POST", body=new_event() if body is None else body, **parts)


def test_an_accepted_event_is_in_the_queue_under_the_id_that_was_answered(
    gateway: FakeGateway, queue: FakeQueue
) -> None:
    answer = post(gateway)
    [event] = queue.events
    assert answer.status == 202
    assert answer.json == {"event_id": event.event_id, "status": "queued"}
    assert answer.headers["Location"] == f"/event/{event.event_id}"
    assert event.model_dump(include={"event_type", "customer_id", "event_data"}) == new_event()
    assert event.recorded_by == "tests"


def test_the_location_begins_with_the_stage(gateway: FakeGateway) -> None:
    answer = post(gateway, stage_path="/prod/event")
    assert answer.headers["Location"] == f"/prod/event/{answer.json['event_id']}"


def test_the_location_begins_with_the_path_that_a_proxy_removed(gateway: FakeGateway) -> None:
    answer = post(gateway, headers={"X-Forwarded-Prefix": "/audit"})
    assert answer.headers["Location"] == f"/audit/event/{answer.json['event_id']}"


def test_an_event_without_a_time_happened_when_it_was_received(services: Services, queue: FakeQueue) -> None:
    services.clock = FakeClock(1_700_000_000.9876)
    post(FakeGateway(services))
    [event] = queue.events
    assert event.timestamp_utc == 1_700_000_000
    assert event.model_dump()["received_at"] == "2023-11-14T22:13:20.987Z"


def test_the_clients_own_time_and_id_are_kept(gateway: FakeGateway, queue: FakeQueue) -> None:
    event_id = str(uuid.uuid4())
    assert post(gateway, new_event(event_id=event_id.upper(), timestamp_utc=0)).json["event_id"] == event_id
    assert (queue.events[0].event_id, queue.events[0].timestamp_utc) == (event_id, 0)


def test_an_idempotency_key_gives_a_repeat_the_same_id(gateway: FakeGateway) -> None:
    ids = [post(gateway, headers={"Idempotency-Key": key}).json["event_id"] for key in ["one", "one", "two"]]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256, "a\tb"])
def test_an_idempotency_key_that_cannot_be_used_is_refused(gateway: FakeGateway, queue: FakeQueue, key: str) -> None:
    answer = post(gateway, headers={"Idempotency-Key": key})
    assert (answer.status, list(answer.errors)) == (422, ["Idempotency-Key"])
    assert queue.events == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("{", 400),
        ('{"event_type": "a", "event_type": "b"}', 400),
        (b"\xff", 400),
        ("\ud800", 400),
        ("[" * 100_000, 400),
        ("null", 422),
        ("[]", 422),
        ("{}", 422),
        (new_event(event_data={}), 422),
        (new_event(customer_id="42"), 422),
        (new_event(unknown=1), 422),
        (new_event(timestamp_utc=1_700_000_000_000), 422),
    ],
)
def test_a_body_that_is_not_an_event_is_refused(
    gateway: FakeGateway, queue: FakeQueue, body: object, status: int
) -> None:
    answer = post(gateway, body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert queue.events == []


def test_each_wrong_field_is_told_by_its_name_without_its_value(gateway: FakeGateway) -> None:
    answer = post(
        gateway, new_event(event_type="", timestamp_utc=1_700_000_000_000, event_id="hunter2", extra="hunter2")
    )
    assert answer.status == 422
    assert list(answer.errors) == ["event_type", "timestamp_utc", "event_id", "extra"]
    assert "milliseconds" in answer.errors["timestamp_utc"]
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize("known", [new_event(), {}], ids=["with its fields", "without"])
def test_the_first_errors_of_an_event_are_listed_and_the_others_counted(
    gateway: FakeGateway, known: dict[str, Any]
) -> None:
    answer = post(gateway, {**{f"unknown{number}": 0 for number in range(10_000)}, **known})
    assert len(answer.json["errors"]) == MAX_ERRORS + 1
    assert answer.json["errors"][-1] == {"loc": [], "msg": f"and {10_000 - MAX_ERRORS} more errors"}
    listed = [error["loc"] for error in answer.json["errors"][:-1]]
    assert listed == [[f"unknown{number}"] for number in range(MAX_ERRORS)]


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"']
)
def test_json_is_taken_in_utf8(gateway: FakeGateway, media_type: str) -> None:
    assert post(gateway, headers={"Content-Type": media_type}).status == 202


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/jsonx", "application/json; charset=latin-1", "application/x-ndjson", "*/*"],
)
def test_another_media_type_is_refused(gateway: FakeGateway, media_type: str) -> None:
    assert post(gateway, headers={"Content-Type": media_type}).status == 415


def test_a_body_without_a_media_type_is_refused(gateway: FakeGateway) -> None:
    assert post(gateway, json.dumps(new_event()).encode()).status == 415


def test_an_event_may_be_as_large_as_the_limit_and_not_larger(gateway: FakeGateway, queue: FakeQueue) -> None:
    room = MAX_EVENT_BYTES - len(json.dumps(new_event(event_data={"a": ""}), separators=(",", ":")))
    assert post(gateway, new_event(event_data={"a": "x" * room})).status == 202
    too_large = post(gateway, new_event(event_data={"a": "x" * (room + 1)}))
    assert (too_large.status, len(queue.events)) == (413, 1)
    assert "at most 262144 are accepted" in too_large.json["detail"]


@pytest.mark.parametrize(
    ("token", "challenge"),
    [(None, "Bearer"), ("made-up", 'Bearer error="invalid_token"'), ("not a token", 'Bearer error="invalid_token"')],
)
def test_without_a_good_token_nothing_is_accepted(
    gateway: FakeGateway, queue: FakeQueue, token: str | None, challenge: str
) -> None:
    answer = post(gateway, token=token)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, challenge)
    assert queue.events == []


def test_another_scheme_than_bearer_counts_as_no_token(gateway: FakeGateway) -> None:
    answer = post(gateway, token=None, headers={"Authorization": "Basic dXNlcjpwYXNz"})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_scheme_may_be_written_in_any_case(gateway: FakeGateway) -> None:
    assert post(gateway, token=None, headers={"authorization": f"bEARER  {gateway.token} "}).status == 202


def test_two_authorizations_are_refused_for_none_may_be_overlooked(gateway: FakeGateway) -> None:
    answer = post(gateway, headers={"authorization": "Bearer another"})
    assert answer.status == 400


def test_a_token_that_may_only_read_is_refused_with_the_scope_it_lacks(services: Services, queue: FakeQueue) -> None:
    answer = post(FakeGateway(services, scopes=[READ]))
    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="events:write"'
    assert queue.events == []


def test_a_token_for_certain_customers_writes_for_no_other(services: Services, queue: FakeQueue) -> None:
    gateway = FakeGateway(services, customers=[42])
    assert post(gateway, new_event(customer_id=43)).status == 403
    assert post(gateway, new_event(customer_id=42)).status == 202
    assert [event.customer_id for event in queue.events] == [42]


def test_a_full_queue_is_answered_with_when_to_try_again(gateway: FakeGateway, queue: FakeQueue) -> None:
    queue.capacity = 1
    assert post(gateway).status == 202
    answer = post(gateway)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert len(queue.events) == 1


@pytest.mark.parametrize(("name", "prefix"), [("api_gateway_post_event", "/api"), ("thin_post_event", "")])
def test_an_event_as_lambda_brings_it_is_accepted(gateway: FakeGateway, name: str, prefix: str) -> None:
    text = (SAMPLES / f"{name}.json").read_text().replace("TOKEN", gateway.token)
    answer = gateway.handle(create_event, json.loads(text))
    assert answer.status == 202
    assert answer.headers["Location"] == f"{prefix}/event/{answer.json['event_id']}"


def test_the_queue_carries_the_event_and_nothing_is_lost_on_the_way(gateway: FakeGateway, queue: FakeQueue) -> None:
    post(gateway)
    assert Event.model_validate_json(queue.bodies[0]) == queue.events[0]
