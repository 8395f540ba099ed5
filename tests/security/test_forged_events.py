"""Events that claim to be what they are not: the service's own, another's, of another time."""

import json
import uuid
from typing import Any

import pytest
from pydantic import SecretStr

from core.domain import models
from core.domain.models import RESERVED_PREFIX
from core.settings import Settings
from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from functions.http.handler import Operation, lambda_handler
from tests.support.builders import new_event, proxy_event
from tests.support.fakes import FakeClock, FakeQueue


def post(
    services: Services, operation: Operation, body: object, client: str = "tests", **request: Any
) -> dict[str, Any]:
    token = services.issuer.issue(client)[0]
    answer = lambda_handler(operation, lambda: services)(proxy_event("POST", body=body, token=token, **request), None)
    return {**json.loads(answer["body"]), **answer}


@pytest.mark.parametrize(
    "field", ["received_at", "recorded_by", "status", "instance", "client", "sub", "id", "_id", "__proto__", "Event_Id"]
)
def test_a_field_that_only_the_service_sets(services: Services, queue: FakeQueue, field: str) -> None:
    answer = post(services, create_event, new_event(**{field: "admin"}))
    assert (answer["statusCode"], answer["errors"][0]["loc"]) == (422, [field])
    batch = post(services, create_events, {"events": [new_event(**{field: "admin"})]})
    assert batch["statusCode"] == 422
    assert post(services, create_events, {"events": [new_event()], "recorded_by": "admin"})["statusCode"] == 422
    assert queue.events == []


def test_whoever_sent_it_is_on_record_whatever_it_says(services: Services, queue: FakeQueue) -> None:
    data = {"recorded_by": "admin", "received_at": "1970-01-01T00:00:00Z"}
    assert post(services, create_event, new_event(event_data=data))["statusCode"] == 202
    assert queue.events[0].recorded_by == "tests"
    assert queue.events[0].received_at.year > 2025


@pytest.mark.parametrize("rest", ["client.created", "login.failing", "", "\U0001f600"])
def test_an_event_of_the_services_own_kind(services: Services, queue: FakeQueue, rest: str) -> None:
    forged = new_event(event_type=RESERVED_PREFIX + rest)
    assert post(services, create_event, forged)["statusCode"] == 422
    answer = post(services, create_events, {"events": [forged, new_event()]})
    assert [entry["index"] for entry in answer["rejected"]] == [0]
    assert [event.event_type for event in queue.events] == ["user.login"]


@pytest.mark.parametrize(
    "kind", ["Audit-Log.client.created", " audit-log.x", "audit-log", "audit-logs.x", "x.audit-log."]
)
def test_only_the_exact_prefix_is_the_services_own(services: Services, kind: str) -> None:
    """Readers filter by the exact type, so another case is another type: it fools a person, not a filter."""
    assert post(services, create_event, new_event(event_type=kind))["statusCode"] == 202


@pytest.mark.parametrize("character", [*map(chr, (*range(32), 0x7F, 0x80, 0x85, 0x9B, 0x9F)), "\ud800"], ids=ascii)
def test_a_type_that_a_terminal_would_obey(services: Services, queue: FakeQueue, character: str) -> None:
    body = json.dumps(new_event(event_type=f"a{character}b"))
    assert post(services, create_event, body)["statusCode"] in {400, 422}
    assert queue.events == []


def test_a_type_that_was_refused_is_not_sent_back(services: Services) -> None:
    """The error is named without the input: a response does not repeat scripts or secrets."""
    for forged in (
        new_event(event_type="<script>canary</script>\x01"),
        new_event(customer_id="canary"),
        new_event(event_id="canary"),
        new_event(timestamp_utc="canary"),
        new_event(event_data="canary"),
    ):
        answer = post(services, create_event, forged)
        assert answer["statusCode"] == 422
        assert "canary" not in answer["body"]


@pytest.mark.parametrize("operation", [create_event, create_events])
def test_an_id_that_another_client_has_taken_is_answered_like_one_that_is_free(
    services: Services, queue: FakeQueue, operation: Operation
) -> None:
    """Otherwise, clients could find out the ids of others by posting."""
    event_id = "018f6b2e-7c1a-7d3e-9f00-0123456789ab"
    services.clock = clock = FakeClock(services.clock())

    def take(client: str, customer_id: int) -> dict[str, Any]:
        clock.now += 1  # a repeat of the same millisecond is not published
        event = new_event(event_id=event_id, customer_id=customer_id)
        return post(services, operation, event if operation is create_event else {"events": [event]}, client)

    answers = [take("first", 1), take("second", 2)]
    assert answers[0] == answers[1]
    assert answers[0]["statusCode"] == 202
    assert take("first", 3)["statusCode"] == 422
    assert take("second", 2)["statusCode"] == 202
    assert [event.customer_id for event in queue.events] == [1, 2, 2]


def test_the_id_of_an_idempotency_key_cannot_be_computed_by_others(services: Services, queue: FakeQueue) -> None:
    """Otherwise, a client could use it first, and the event of the other one would become a dead letter."""
    post(services, create_event, new_event(), "victim", headers={"Idempotency-Key": "invoice-1"})
    constants = [value for value in vars(models).values() if isinstance(value, uuid.UUID)]
    namespaces = [*constants, uuid.NAMESPACE_DNS, uuid.NAMESPACE_OID, uuid.NAMESPACE_URL, uuid.NAMESPACE_X500]
    names = ["victim\ninvoice-1", "invoice-1", "victim"]
    guesses = {str(uuid.uuid5(namespace, name)) for namespace in namespaces for name in names}
    assert queue.events[0].event_id not in guesses
    other_secret = Settings(jwt_secret=SecretStr("another-Xq7vKp2mZr9tWb4nYc6hJd8sLf3g"))
    elsewhere = Services(other_secret, publisher=FakeQueue())
    answer = post(elsewhere, create_event, new_event(), "victim", headers={"Idempotency-Key": "invoice-1"})
    assert answer["event_id"] != queue.events[0].event_id


def test_the_same_idempotency_key_of_two_clients_makes_two_ids(services: Services, queue: FakeQueue) -> None:
    """Else one client could take the id that another's event is going to have."""
    for client in ("a", "b"):
        token = services.issuer.issue(client)[0]
        request = proxy_event("POST", body=new_event(), token=token, headers={"Idempotency-Key": "invoice-1"})
        assert lambda_handler(create_event, lambda: services)(request, None)["statusCode"] == 202
    assert len({event.event_id for event in queue.events}) == 2
