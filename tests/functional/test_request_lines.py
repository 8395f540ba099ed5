"""The line of the log that a request has, by every way in."""

import logging
from typing import Any

import pytest
from werkzeug.test import Client

from core.settings import Settings
from core.wiring import Services
from functions.create_event import create_event
from functions.http.handler import lambda_handler
from functions.query_events import query_events
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from tests.security.shop import Shop
from tests.support.builders import new_event, proxy_event
from tests.support.fakes import FakeQueue

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _log_requests(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def client(services: Services) -> Client:
    return Client(WSGIApplication(Application(services)))


@pytest.fixture
def authorization(services: Services) -> dict[str, str]:
    token, _ = services.issuer.issue("billing")
    return {"Authorization": f"Bearer {token}"}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "audit_log.request"]


def told(line: dict[str, Any]) -> tuple[str, str, int, str | None]:
    return line["method"], line["route"], line["status"], line["client"]


def test_an_accepted_event_is_a_line(
    client: Client, authorization: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post("/event", json=new_event(), headers=authorization)

    (line,) = lines(caplog)
    assert told(line) == ("POST", "/event", 202, "billing")
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert 0 < line["ms"] < 5000


def test_a_line_names_the_route_and_neither_path_nor_query(
    client: Client, authorization: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/event/00000000-0000-7000-8000-0000000000aa", headers=authorization)
    client.get("/event?event_data.password=hidden", headers=authorization)

    found, asked = lines(caplog)
    assert told(found) == ("GET", "/event/{event_id}", 404, "billing")
    assert told(asked) == ("GET", "/event", 200, "billing")
    assert "hidden" not in str(lines(caplog))
    assert "0000000000aa" not in str(lines(caplog))


def test_a_client_is_named_once_it_is_known(
    services: Services, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    token, _ = services.issuer.issue("reader", scopes=["events:read"])
    client.post("/event", json=new_event(), headers={"Authorization": f"Bearer {token}"})
    client.post("/event", json=new_event(), headers={"Authorization": "Bearer x.y.z"})

    assert [told(line) for line in lines(caplog)] == [
        ("POST", "/event", 403, "reader"),
        ("POST", "/event", 401, None),
    ]


def test_what_reaches_no_handler_is_a_line_too(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/made/up/path")
    client.open("/event", environ_overrides={"REQUEST_METHOD": "MADEUP"})
    client.get("/event?" + "&".join(["a=1"] * 1000))

    assert [told(line) for line in lines(caplog)] == [
        ("GET", "other", 404, None),
        ("other", "other", 405, None),
        ("GET", "/event", 400, None),
    ]
    assert lines(caplog)[0]["request_id"] == answer.headers["X-Request-Id"]


def test_probes_that_succeed_are_no_lines(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/health")
    client.get("/ready")
    assert lines(caplog) == []


def test_under_lambda_the_line_is_the_same(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    token, _ = services.issuer.issue("billing")
    event = proxy_event("POST", token=token, body=new_event(), headers={"traceparent": TRACEPARENT})
    lambda_handler(create_event, lambda: services)(event, None)

    (line,) = lines(caplog)
    assert told(line) == ("POST", "/event", 202, "billing")
    assert (line["request_id"], line["trace_id"]) == ("request-1", TRACEPARENT.split("-")[1])


def test_an_event_that_cannot_be_read_is_a_line(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    event = proxy_event("POST") | {"body": "no base64", "isBase64Encoded": True}
    lambda_handler(create_event, lambda: services)(event, None)
    assert [told(line) for line in lines(caplog)] == [("POST", "/event", 400, None)]


def test_a_request_that_names_a_trace_has_its_id_in_its_line(
    client: Client, authorization: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for value in (TRACEPARENT, TRACEPARENT.upper(), f"{TRACEPARENT}, {TRACEPARENT}"):
        answer = client.post("/event", json=new_event(), headers={**authorization, "traceparent": value})
        assert answer.status_code == 202  # a trace that makes no sense is no reason to refuse an event

    assert [line.get("trace_id") for line in lines(caplog)] == [TRACEPARENT.split("-")[1], None, None]


def test_the_trace_goes_into_the_queue_with_each_event(
    client: Client, authorization: dict[str, str], queue: FakeQueue
) -> None:
    headers = {**authorization, "traceparent": TRACEPARENT}
    client.post("/event", json=new_event(), headers=headers)
    client.post("/events", json={"events": [new_event(), new_event()]}, headers=headers)
    client.post("/event", json=new_event(), headers=authorization)
    client.post("/event", json=new_event(), headers={**authorization, "traceparent": "nonsense"})

    assert queue.traceparents == [TRACEPARENT] * 3 + [None] * 2


def test_who_gets_a_token_is_named_and_who_does_not_is_not(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(settings)
    shop.login()
    shop.login("a-secret-by-mistake", "x")

    assert [told(line) for line in lines(caplog)] == [
        ("GET", "/access-token", 200, shop.client.client_id),
        ("GET", "/access-token", 401, None),
    ]


def test_a_line_names_the_viewer_of_a_token(
    services: Services, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    token, _ = services.issuer.issue("portal", customers=[42], viewer="alice@example.com")
    bearer = {"Authorization": f"Bearer {token}"}
    client.get("/event", headers=bearer)
    lambda_handler(query_events, lambda: services)(proxy_event("GET", "/event", token=token), None)
    client.get("/event")

    assert [(line["client"], line.get("viewer")) for line in lines(caplog)] == [
        ("portal", "alice@example.com"),
        ("portal", "alice@example.com"),
        (None, None),
    ]
