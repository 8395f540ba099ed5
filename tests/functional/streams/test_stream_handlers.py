"""/stream: definitions, versions, acts, and limits of tokens to customers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from core.auth.tokens import MANAGE_STREAMS, READ, WRITE
from core.domain.queries import EventFilter
from core.domain.streams import MAX_LIMITED_STREAMS
from core.ports.feed import FeedRequest
from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.http.handler import Operation
from functions.streams import acts, manage
from tests.conftest import SECRET
from tests.support.builders import event
from tests.support.fakes import Answer, FakeGateway, FakeQueue
from tests.support.streams import StoreEvents

HTTP = {"kind": "http", "url": "https://hooks.invalid/audit?token=s3cr3t"}
Call = Callable[..., Answer]


@pytest.fixture
def services(settings: Settings, sqlite_store: SqlEventStore, queue: FakeQueue) -> Services:
    settings = settings.model_copy(update={"secrets_key": SecretStr(SECRET)})
    return Services(settings, publisher=queue, reader=sqlite_store, checks={})


@pytest.fixture
def call(services: Services) -> Call:
    return caller(services)


def caller(services: Services, customers: list[int] | None = None) -> Call:
    """Call an operation with a token for streams; `customers` limits it."""
    gateway = FakeGateway(services, scopes=(MANAGE_STREAMS,), customers=customers)

    def ask(operation: Operation, method: str = "POST", stream_id: str | None = None, **parts: Any) -> Answer:
        parameters = {"stream_id": stream_id} if stream_id else None
        return gateway.call(operation, method, "/stream", path_parameters=parameters, **parts)

    return ask


def created(call: Call, **fields: Any) -> dict[str, Any]:
    answer = call(manage.create_stream, body={"name": "siem", "destination": HTTP, **fields})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def problems(answer: Answer) -> dict[str, str]:
    assert answer.status == 422, answer.body
    return {".".join(map(str, each["loc"])): each["msg"] for each in json.loads(answer.body)["errors"]}


def test_a_stream_is_created_with_a_secret_that_is_shown_once(call: Call) -> None:
    stream = created(call, secrets={"headers": {"X-Key": "s3cr3t-header"}}, filter="event_type=user.login")
    assert stream["signing_secret"].startswith("whsec_")
    assert (stream["state"], stream["version"], stream["position"]) == ("active", 1, 0)
    answer = call(manage.get_stream, "GET", stream["stream_id"])
    listed = call(manage.list_streams, "GET")
    assert json.loads(listed.body)["streams"] == [json.loads(answer.body)]
    for text in (answer.body, listed.body):
        assert b"whsec_" not in text
        assert b"s3cr3t-header" not in text
    rotated = json.loads(call(acts.rotate_stream, stream_id=stream["stream_id"]).body)
    assert rotated["signing_secret"] != stream["signing_secret"]


@pytest.mark.parametrize(
    ("url", "secrets", "status"),
    [
        ("https://thief.invalid/audit", None, 422),
        ("https://hooks.invalid:8443/audit", None, 422),
        ("https://thief.invalid/audit", {"headers": {"X-Key": "other"}}, 200),
        ("https://thief.invalid/audit", {}, 200),
        ("https://HOOKS.invalid:443/other", None, 200),
    ],
)
def test_another_host_does_not_get_the_secrets_of_a_stream(
    call: Call, url: str, secrets: dict[str, Any] | None, status: int
) -> None:
    stream_id = created(call, secrets={"headers": {"X-Key": "s3cr3t"}})["stream_id"]
    body = {"name": "siem", "destination": {"kind": "http", "url": url}, "secrets": secrets}
    answer = call(manage.replace_stream, "PUT", stream_id, body=body, headers={"If-Match": '"1"'})
    assert answer.status == status
    if status == 422:
        assert "must be sent again" in problems(answer)["secrets"]


def test_a_stream_without_secrets_of_its_own_moves_to_another_host(call: Call) -> None:
    stream_id = created(call)["stream_id"]
    body = {"name": "siem", "destination": {"kind": "http", "url": "https://other.invalid/"}}
    assert call(manage.replace_stream, "PUT", stream_id, body=body, headers={"If-Match": '"1"'}).status == 200


def test_a_change_needs_the_version_that_was_read(call: Call) -> None:
    stream_id = created(call)["stream_id"]
    etag = call(manage.get_stream, "GET", stream_id).headers["ETag"]
    body = {"name": "renamed", "destination": HTTP}
    assert call(manage.replace_stream, "PUT", stream_id, body=body).status == 428
    changed = call(manage.replace_stream, "PUT", stream_id, body=body, headers={"If-Match": etag})
    assert (changed.status, json.loads(changed.body)["name"], changed.headers["ETag"]) == (200, "renamed", '"2"')
    assert call(manage.replace_stream, "PUT", stream_id, body=body, headers={"If-Match": etag}).status == 412
    assert call(manage.replace_stream, "PUT", stream_id, body=body, headers={"If-Match": "*"}).status == 428


def test_a_stream_is_paused_resumed_replayed_and_deleted(call: Call, store_events: StoreEvents) -> None:
    store_events(*[event(number) for number in range(5)])
    stream_id = created(call)["stream_id"]
    assert json.loads(call(acts.pause_stream, stream_id=stream_id).body)["state"] == "paused"
    assert json.loads(call(acts.resume_stream, stream_id=stream_id).body)["state"] == "active"
    for after, position in (
        ("oldest", 0),
        ("2", 3),
        ("now", 5),
        ("1970-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59Z", 5),
    ):
        answer = call(acts.replay_stream, stream_id=stream_id, body={"after": after})
        assert json.loads(answer.body)["position"] == position
    assert call(manage.delete_stream, "DELETE", stream_id).status == 200
    assert call(manage.get_stream, "GET", stream_id).status == 404


@pytest.mark.parametrize(
    ("fields", "field", "remedy"),
    [
        ({"filter": "colour=red"}, "filter", "no field"),
        ({"format": "xml"}, "format", "cloudevents"),
        ({"destination": {"kind": "pigeon"}}, "destination", "must have a kind"),
        ({"destination": {**HTTP, "url": "https://127.0.0.1/"}}, "destination", "not public"),
        ({"destination": {**HTTP, "url": "http://hooks.invalid/"}}, "destination", "https"),
        ({"destination": {"kind": "directory", "path": "/var"}}, "destination", "only `audit-log stream create`"),
        ({"destination": {**HTTP, "colour": "s3cr3t"}}, "destination.colour", "is not a field"),
        ({"secrets": {"token": "s3cr3t"}}, "secrets.token", "is not a field"),
        ({"secrets": {"signing_secrets": ["s3cr3t"]}}, "secrets.signing_secrets", "left out"),
        ({"after": "99"}, "after", "beyond the end"),
        ({"after": "soon"}, "after", "send now, oldest, a time"),
        ({"after": "9999-12-31T23:59:59.9999Z"}, "after", "RFC 3339"),
        ({"hash": ["a..b"]}, "hash.0", "must name a member"),
        ({"drop": ["event_data.actor.email"]}, "drop.0", "leave event_data. out"),
        ({"colour": "s3cr3t"}, "colour", "is not a field"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(call: Call, fields: dict[str, Any], field: str, remedy: str) -> None:
    answer = call(manage.create_stream, body={"name": "siem", "destination": HTTP, **fields})
    assert remedy in problems(answer)[field]
    assert b"s3cr3t" not in answer.body


def test_a_name_that_is_taken_is_a_conflict(call: Call) -> None:
    created(call)
    assert call(manage.create_stream, body={"name": "siem", "destination": HTTP}).status == 409


def test_a_limited_token_sees_and_makes_only_streams_of_its_customers(services: Services, call: Call) -> None:
    everyone = created(call, name="all")["stream_id"]
    seven = caller(services, [7, 8])
    own = created(seven, name="own")
    assert (own["customers"], own["position"]) == ([7, 8], None)
    assert problems(seven(manage.create_stream, body={"name": "x", "destination": HTTP, "customers": [9]})).keys() == {
        "customers"
    }
    assert [each["name"] for each in json.loads(seven(manage.list_streams, "GET").body)["streams"]] == ["own"]
    for act in acts.ACTS:
        assert seven(act.operation, stream_id=everyone, body={"after": "now"}).status == 404
    assert seven(manage.get_stream, "GET", everyone).status == 404
    assert seven(manage.delete_stream, "DELETE", everyone).status == 404
    assert (
        "does not see indices"
        in problems(seven(acts.replay_stream, stream_id=own["stream_id"], body={"after": "0"}))["after"]
    )


def test_a_limited_token_leaves_room_for_streams_of_others(services: Services, call: Call) -> None:
    created(call, name="of all")
    seven = caller(services, [7])
    for number in range(MAX_LIMITED_STREAMS):
        created(seven, name=f"stream {number}")
    answer = seven(manage.create_stream, body={"name": "siem", "destination": HTTP})
    assert (answer.status, json.loads(answer.body)["detail"]) == (
        409,
        f"These customers have {MAX_LIMITED_STREAMS} streams already: delete one first.",
    )
    created(caller(services, [8]), name="of another customer")


def test_a_token_without_the_scope_is_refused(services: Services) -> None:
    answer = FakeGateway(services, scopes=(READ, WRITE)).call(manage.list_streams, path="/stream")
    assert answer.status == 403


def test_a_test_says_in_words_of_the_service_what_failed(call: Call) -> None:
    stream_id = created(call)["stream_id"]
    result = json.loads(call(acts.test_stream, stream_id=stream_id).body)
    assert (result["delivered"], result["status"]) == (False, None)
    assert "hooks.invalid" not in result["reason"]
    assert json.loads(call(acts.resend_stream, stream_id=stream_id).body) == {"delivered": 0, "refused": 0, "left": 0}


def test_a_process_that_sends_no_streams_refuses_to_try_one(services: Services, call: Call) -> None:
    stream_id = created(call)["stream_id"]
    services.settings = services.settings.model_copy(update={"streams": "off"})
    assert call(acts.test_stream, stream_id=stream_id).status == 409


def test_no_secret_is_in_the_database_in_clear(services: Services, call: Call) -> None:
    secret = created(call, secrets={"headers": {"X-Key": "s3cr3t-header"}})["signing_secret"]
    services.database.close()
    for file in services.settings.data_dir.iterdir():
        content = file.read_bytes() if file.is_file() else b""
        assert b"s3cr3t-header" not in content
        assert secret.encode() not in content


def test_the_record_of_a_stream_leaves_out_the_query_of_its_url(
    services: Services, call: Call, store_events: StoreEvents
) -> None:
    created(call)
    store_events()
    (record,) = [each for _, each in services.feed.read(FeedRequest(EventFilter())).entries]
    assert record.event_data["destination"] == {"kind": "http", "url": "https://hooks.invalid/audit"}
    assert record.event_data["by"] == "tests"
