from typing import Any

import pytest

from core.auth.tokens import WRITE
from core.wiring import Services
from functions.get_event import get_event
from tests.support.builders import event
from tests.support.fakes import Answer, FakeGateway, FakeStore


@pytest.fixture
def gateway(services: Services, store: FakeStore) -> FakeGateway:
    store.add([event(1, customer_id=1), event(0xABC, event_id="00000000-0000-7000-8000-000000000abc", customer_id=2)])
    return FakeGateway(services)


def ask(gateway: FakeGateway, event_id: str, **parts: Any) -> Answer:
    return gateway.call(get_event, path="/event/{event_id}", path_parameters={"event_id": event_id}, **parts)


def test_an_event_is_found_by_its_id_in_any_case(gateway: FakeGateway, store: FakeStore) -> None:
    event_id = "00000000-0000-7000-8000-000000000abc"
    for asked in [event_id, event_id.upper()]:
        answer = ask(gateway, asked)
        assert (answer.status, answer.json) == (200, store.events[event_id].model_dump(mode="json"))


@pytest.mark.parametrize("event_id", [event(2).event_id, "x", "", "é", "\udcff", "\x00", "' OR 1=1 --"])
def test_what_is_not_there_is_not_found(gateway: FakeGateway, event_id: str) -> None:
    assert ask(gateway, event_id).status == 404


def test_without_an_id_there_is_nothing_to_find(gateway: FakeGateway) -> None:
    assert gateway.call(get_event).status == 404


def test_a_foreign_event_is_answered_like_one_that_does_not_exist(services: Services, gateway: FakeGateway) -> None:
    narrow = FakeGateway(services, customers=[2])
    foreign = ask(narrow, event(1).event_id, request_id="same")
    missing = ask(narrow, event(2).event_id, request_id="same")
    assert foreign == missing
    assert foreign.status == 404
    assert ask(gateway, event(1).event_id).status == 200


def test_a_query_string_has_no_meaning_here_and_is_refused(gateway: FakeGateway) -> None:
    answer = ask(gateway, event(1).event_id, query=[("customer_id", "2")])
    assert (answer.status, list(answer.errors)) == (422, ["customer_id"])


def test_reading_needs_a_token_with_the_scope_for_it(services: Services, gateway: FakeGateway) -> None:
    assert ask(gateway, event(1).event_id, token=None).status == 401
    assert ask(FakeGateway(services, scopes=[WRITE]), event(1).event_id).status == 403


def test_a_store_that_is_down_is_no_proof_that_an_event_is_missing(gateway: FakeGateway, store: FakeStore) -> None:
    store.down = True
    assert ask(gateway, event(1).event_id).status == 503
