import io
import logging
import re
import uuid
from typing import NoReturn

import pytest
from werkzeug.test import Client, TestResponse

from core.domain.models import Event
from core.settings import Settings
from core.wiring import Services
from functions.http.limits import MAX_BODY_BYTES
from functions.routes import ROUTES
from local_runner.http.application import Application
from local_runner.http.wsgi import WSGIApplication
from tests.support.builders import event, new_event
from tests.support.fakes import FakeQueue, FakeStore

FILES = {"/docs/{file}": "docs.js", "/viewer/{file}": "main.js"}


@pytest.fixture
def client(services: Services) -> Client:
    return Client(WSGIApplication(Application(services)))


@pytest.fixture
def authorization(services: Services) -> dict[str, str]:
    token, _ = services.issuer.issue("tests")
    return {"Authorization": f"Bearer {token}"}


def assert_problem(answer: TestResponse, status: int) -> None:
    assert answer.json is not None
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["instance"] == answer.headers["X-Request-Id"]


def test_every_route_is_served(client: Client) -> None:
    for route in ROUTES:
        path = route.path.replace("{event_id}", str(uuid.uuid4())).replace("{stream_id}", f"stream-{1:016x}")
        path = path.replace("{file}", FILES.get(route.path, ""))
        answer = client.open(re.sub(r"\{\w+\}", "000", path), method=route.method)
        # There is no database, and people do not sign in.
        expected = {"/ledger/policy": {503}}.get(route.path, {*route.answers, 401, 415})
        if route.path.startswith("/session/"):
            expected = {404}
        assert answer.status_code in expected, (route.method, path)


def test_an_event_is_posted_and_then_found_by_the_id_in_its_path(
    client: Client, authorization: dict[str, str], queue: FakeQueue, store: FakeStore
) -> None:
    posted = client.post("/event", json=new_event(), headers=authorization)
    assert posted.status_code == 202
    store.add(queue.events)

    found = client.get(posted.headers["Location"], headers=authorization)

    assert found.status_code == 200
    assert Event.model_validate_json(found.data) == queue.events[0]


def test_parameters_of_the_query_reach_the_handler(
    client: Client, authorization: dict[str, str], store: FakeStore
) -> None:
    store.add([event(1), event(2), event(3)])

    answer = client.get("/event?limit=1&order=asc&offset=1", headers=authorization)

    assert answer.json is not None
    assert [found["event_data"] for found in answer.json["events"]] == [{"number": 2}]


@pytest.mark.parametrize("path", ["/index.html", "/events/1", "/event/", "/event/1/2", "/Event", "/event/%2F", "/é"])
def test_an_unknown_path_is_not_found(client: Client, path: str) -> None:
    assert_problem(client.get(path), 404)


def test_two_slashes_are_not_one(client: Client) -> None:
    # As an address, //event would be the host `event`.
    assert_problem(client.get(environ_overrides={"PATH_INFO": "//event"}), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/event", "GET, HEAD, POST"),
        ("POST", "/health", "GET, HEAD"),
        ("GET", "/events", "POST"),
        ("HEAD", "/events", "POST"),
        ("PUT", "/event/1", "GET, HEAD"),
        ("OPTIONS", "/event", "GET, HEAD, POST"),
        ("get", "/health", "GET, HEAD"),
        ("GET", "/alert-rule/preview", "POST"),
        ("OPTIONS", "/alert-rule/preview", "POST"),
        ("POST", "/alert-rule/preview1", "DELETE, GET, HEAD, PUT"),
    ],
)
def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_takes(
    client: Client, method: str, path: str, allowed: str
) -> None:
    environ = {"REQUEST_METHOD": method}  # the client would write it in capitals

    answer = client.open(path, environ_overrides=environ)

    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/docs", "/docs/docs.js", "/nowhere"])
def test_head_answers_like_get_without_the_body(client: Client, path: str) -> None:
    get, head = client.get(path), client.head(path)

    assert (head.status_code, head.data) == (get.status_code, b"")
    assert head.headers["Content-Length"] == str(len(get.data)) != "0"
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_every_answer_has_a_request_id_of_its_own(client: Client) -> None:
    answers = [client.get(path) for path in ("/health", "/event", "/nowhere", "/access-token?x=1") for _ in range(3)]
    answers.append(client.delete("/event"))

    request_ids = {answer.headers["X-Request-Id"] for answer in answers}

    assert len(request_ids) == len(answers)
    assert all(uuid.UUID(request_id) for request_id in request_ids)


def test_a_request_id_is_not_taken_from_the_client(client: Client) -> None:
    assert client.get("/health", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] != "mine"


def test_an_error_of_ours_is_a_500_that_tells_nothing_and_is_logged(
    settings: Settings, authorization: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    class BrokenQueue(FakeQueue):
        def publish(self, _events: object, _traceparent: str | None = None) -> NoReturn:
            raise ZeroDivisionError("a detail of ours")

    client = Client(WSGIApplication(Application(Services(settings, publisher=BrokenQueue()))))
    answer = client.post("/event", json=new_event(), headers=authorization)

    assert_problem(answer, 500)
    assert "a detail of ours" not in answer.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert record.__dict__["request_id"] == answer.headers["X-Request-Id"]


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: Client, authorization: dict[str, str]) -> None:
    body = io.BytesIO(bytes(MAX_BODY_BYTES + 1))

    answer = client.post("/events", input_stream=body, content_length=MAX_BODY_BYTES + 1, headers=authorization)

    assert_problem(answer, 413)
    assert body.tell() == 0


def test_a_chunked_body_over_the_limit_is_refused(client: Client, authorization: dict[str, str]) -> None:
    answer = client.post(
        "/events",
        input_stream=io.BytesIO(bytes(MAX_BODY_BYTES + 1)),
        headers=authorization,
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert_problem(answer, 413)


def test_a_body_of_the_limit_reaches_the_handler(client: Client, authorization: dict[str, str]) -> None:
    body = b"[]".ljust(MAX_BODY_BYTES)

    answer = client.post("/events", data=body, content_type="application/json", headers=authorization)

    assert_problem(answer, 422)


def test_a_content_length_that_is_no_number_is_a_bad_request(client: Client) -> None:
    assert_problem(client.post("/event", environ_overrides={"CONTENT_LENGTH": "-1"}), 400)


def test_a_body_that_is_not_text_is_refused_as_json(client: Client, authorization: dict[str, str]) -> None:
    answer = client.post("/event", data=b'{"a": "\xff"}', content_type="application/json", headers=authorization)

    assert_problem(answer, 400)


def test_a_picture_arrives_as_it_is(client: Client) -> None:
    answer = client.get("/docs/favicon-32x32.png")

    assert answer.data.startswith(b"\x89PNG")
    assert answer.headers["Content-Length"] == str(len(answer.data))
