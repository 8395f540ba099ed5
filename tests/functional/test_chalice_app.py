"""The Chalice application, called as Lambda calls it: with the events of API Gateway, below a stage."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from chalice_config.app import app
from core.auth.tokens import MANAGE_STREAMS
from functions import pages
from functions.http.route import Route, Tag
from functions.routes import ROUTES
from tests.conftest import SECRET
from tests.support.builders import new_event, proxy_event

ROOT = Path(__file__).parents[2]
STATIC = Path(pages.__file__).parent / "static"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
PATHS = sorted({route.path for route in ROUTES})
PARAMETERS = {
    "event_id": "018f6b2e-7c1a-7d3e-9f00-0123456789ab", "file": "docs.js",
    "stream_id": "stream-0000000000000001", "rule_id": "rule-0000000000000001",
    "level": "0", "n1": "000.p", "n2": "1", "n3": "1", "n4": "1",
}  # fmt: skip
VIEWER_PARAMETERS = {"file": "main.js"}


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Chalice's handlers build the services of this process at the first request, from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIT_LOG_DATA_DIR", str(tmp_path_factory.mktemp("chalice-app")))
        patch.setenv("AUDIT_LOG_JWT_SECRET", SECRET)
        yield


def gateway_event(method: str, resource: str, **options: Any) -> dict[str, Any]:
    """What the REST API of API Gateway sends: the stage is in requestContext.path, and only there."""
    parameters = VIEWER_PARAMETERS if resource.startswith("/viewer/") else PARAMETERS
    names = [name for name in parameters if f"{{{name}}}" in resource]
    path_parameters = {name: options.pop(name, parameters[name]) for name in names}
    path = resource.format(**path_parameters)
    headers = {"Accept": "*/*", "Host": "abc123.execute-api.eu-central-1.amazonaws.com", **options.pop("headers", {})}
    event = proxy_event(
        method, path, headers=headers, path_parameters=path_parameters, stage_path=f"/prod{path}", **options
    )
    event["resource"] = resource
    event["requestContext"] |= {
        "accountId": "000000000000",
        "apiId": "abc123",
        "httpMethod": method,
        "identity": {"sourceIp": "192.0.2.7", "userAgent": "tests"},
        "protocol": "HTTP/1.1",
        "resourcePath": resource,
        "stage": "prod",
    }
    return event


def call(method: str, resource: str, **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = app(gateway_event(method, resource, **options), None)
    return answer


@pytest.fixture(scope="module")
def token() -> str:
    token: str = json.loads(call("GET", "/access-token", query=[("valid_minutes", "5")])["body"])["token"]
    return token


def test_there_are_the_routes_of_the_service_and_no_others() -> None:
    assert sorted(app.routes) == PATHS
    for path, by_method in app.routes.items():
        assert by_method.keys() == METHODS, path


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_reaches_its_operation(token: str, route: Route) -> None:
    answer = call(route.method, route.path, token=token)
    # An event that does not exist, and a body that was not sent, are reported by the operation itself.
    told = {
        "/event/{event_id}": {404},
        "/event": {200, 415},
        "/events": {415},
        "/oauth2/token": {415},
        "/erasure": {403},
    }
    if route.scope == MANAGE_STREAMS:  # the token has not their scope
        told[route.path] = {403}
    if route.path.startswith("/session/"):  # people do not sign in
        told[route.path] = {404}
    if route.tag is Tag.LEDGER:  # nothing is stored yet
        told[route.path] = {"/ledger/consistency": {422}, "/ledger/policy": {200}}.get(route.path, {404})
    assert answer["statusCode"] in told.get(route.path, route.answers), answer["body"]
    assert answer["headers"]["X-Request-Id"] == "request-1"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_that_a_path_does_not_take_is_refused(method: str, path: str) -> None:
    taken = {route.method for route in ROUTES if route.path == path}
    allowed = sorted(taken | ({"HEAD"} if "GET" in taken else set()))
    answer = call(method, path)
    if method in allowed:
        assert answer["statusCode"] != HTTPStatus.METHOD_NOT_ALLOWED
    else:
        assert answer["statusCode"] == HTTPStatus.METHOD_NOT_ALLOWED
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        assert answer["headers"]["Allow"] == ", ".join(allowed)
        assert method == "HEAD" or json.loads(answer["body"])["status"] == HTTPStatus.METHOD_NOT_ALLOWED


def test_the_location_of_an_event_is_below_the_stage(token: str) -> None:
    answer = call("POST", "/event", body=new_event(event_type="chalice.app"), token=token)
    event_id = json.loads(answer["body"])["event_id"]
    assert answer["statusCode"] == HTTPStatus.ACCEPTED
    assert answer["headers"]["Location"] == f"/prod/event/{event_id}"


def test_a_body_in_base64_is_read(token: str) -> None:
    body = json.dumps(new_event(event_type="chalice.app")).encode()
    answer = call("POST", "/event", body=body, headers={"Content-Type": "application/json"}, token=token)
    assert answer["statusCode"] == HTTPStatus.ACCEPTED


def test_a_body_that_api_gateway_has_decoded_is_not_decoded_again(token: str) -> None:
    body = new_event(event_type="chalice.app")
    answer = call("POST", "/event", body=body, headers={"Content-Encoding": "gzip"}, token=token)
    assert answer["statusCode"] == HTTPStatus.ACCEPTED


def test_a_parameter_that_comes_again_is_seen_again(token: str) -> None:
    query = [("event_type", "no.such"), ("limit", "1"), ("limit", "2")]
    answer = call("GET", "/event", query=query, token=token)
    assert json.loads(answer["body"])["errors"] == [{"loc": ["limit"], "msg": "occurs 2 times: send it once"}]


def test_the_description_names_the_stage_as_its_server() -> None:
    described = json.loads(call("GET", "/openapi.json")["body"])
    assert described["servers"] == [{"url": "/prod"}]


def test_an_image_goes_as_base64() -> None:
    answer = call("GET", "/docs/{file}", file="favicon-32x32.png")
    assert answer["statusCode"] == HTTPStatus.OK
    assert answer["headers"]["Content-Type"] == "image/png"
    assert answer["isBase64Encoded"] is True
    assert base64.b64decode(answer["body"]) == (STATIC / "favicon-32x32.png").read_bytes()


def test_head_has_no_body() -> None:
    answer = call("HEAD", "/docs/{file}", file="favicon-32x32.png")
    assert answer["statusCode"] == HTTPStatus.OK
    assert answer["body"] == ""


def test_chalice_local_keeps_its_data_outside_of_the_directory_that_it_watches() -> None:
    """Otherwise, each write restarts it, and `git add` would include the database and the secret."""
    project = ROOT / "chalice_config"
    program = "import os, chalice_config.app; print(os.environ['AUDIT_LOG_DATA_DIR'])"
    environ = {"AWS_CHALICE_CLI_MODE": "true", "PYTHONPATH": str(project), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(ROOT / "var")
