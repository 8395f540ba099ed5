import json
import time
from functools import cache
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from core.domain.filter_text import parse
from core.domain.queries import EventFilter
from core.errors import InvalidFieldsError
from core.wiring import Services
from functions.http.event_filters import EVENT_DATA
from functions.http.media_types import NDJSON
from functions.http.problems import PROBLEM, Problem
from functions.http.route import Place, Route
from functions.pages.docs import openapi_operation
from functions.pages.openapi import describe
from functions.routes import ROUTES
from tests.support.fakes import FakeGateway


@cache
def document() -> dict[str, Any]:
    """The description of all routes, which takes 30 ms to build."""
    return describe(ROUTES)


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][route.path][route.method.lower()]
    return found


def names_of_schemas(value: object) -> set[str]:
    """Every component that `value` refers to."""
    if isinstance(value, dict):
        own = {value["$ref"].removeprefix("#/components/schemas/")} if "$ref" in value else set()
        return own.union(*map(names_of_schemas, value.values()))
    return set().union(*map(names_of_schemas, value)) if isinstance(value, list) else set()


def test_the_description_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_the_description_has_every_route_and_no_other() -> None:
    described = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert described == {(route.method.lower(), route.path) for route in ROUTES}


def full_place(status: int) -> list[str]:
    """The media type of a refusal because the place of the route is full."""
    return [PROBLEM] if status == 503 else []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_is_described_with_all_that_it_takes_and_answers(route: Route) -> None:
    described = operation(route)
    answers = described["responses"]
    for status, answer in route.answers.items():
        content = answers[str(status)]["content"]
        if isinstance(answer, type) and issubclass(answer, BaseModel):
            assert content["application/json"] == {"schema": {"$ref": f"#/components/schemas/{answer.__name__}"}}
            assert set(content) == {"application/json", *full_place(status)}
        else:
            assert list(content) == [*(each for each in answer.split(", ") if each), *full_place(status)]
    for status in set(answers) - {str(status) for status in route.answers}:
        [(media_type, content)] = answers[status]["content"].items()
        assert (media_type, content["schema"]) == (PROBLEM, {"$ref": "#/components/schemas/Problem"})
        assert content["example"]["status"] == int(status)
        assert Problem.model_validate(content["example"])
    assert {int(status) for status in answers} >= {*route.problems, 500} | ({400, 401, 403} if route.scope else set())
    assert ("503" in answers) is (route.place is not Place.LOOP)
    shown_by: list[dict[str, list[str]]] = [{"clientCredentials": []}, {}] if route.credentials else []
    by_token = [{"bearerToken": []}, {"oauth2": [route.scope]}]
    assert described["security"] == (by_token if route.scope else shown_by)
    names = [parameter["name"] for parameter in described["parameters"]]
    assert {*route.path_parameters, *(parameter.name for parameter in route.parameters)} <= set(names)
    assert list(described.get("requestBody", {}).get("content", {})) == list(route.bodies)


def test_every_schema_that_is_referred_to_is_there_and_no_other() -> None:
    description = document()
    assert names_of_schemas(description) == set(description["components"]["schemas"])


def test_an_event_is_described_with_the_rules_it_is_held_to() -> None:
    new_event = document()["components"]["schemas"]["NewEvent"]
    assert new_event["required"] == ["event_type", "customer_id", "event_data"]
    assert new_event["additionalProperties"] is False
    assert "not 42.0" in new_event["properties"]["customer_id"]["description"]  # to JSON Schema, 42.0 is an integer
    time = new_event["properties"]["timestamp_utc"]
    assert (time["type"], time["minimum"], time["maximum"]) == ("integer", 0, 253402300799)


def test_lines_of_json_are_described_in_words() -> None:
    [batch] = [route for route in ROUTES if NDJSON in route.bodies]
    assert operation(batch)["requestBody"]["content"][NDJSON]["schema"]["type"] == "string"


def test_repeatable_parameters_are_arrays_and_others_are_not() -> None:
    [query] = [route for route in ROUTES if route.path == "/event" and route.method == "GET"]
    types = {parameter["name"]: parameter["schema"].get("type") for parameter in operation(query)["parameters"]}
    assert (types["event_type"], types["customer_id"], types["limit"]) == ("array", "array", "integer")


@pytest.mark.parametrize(("stage_path", "url"), [("/prod/openapi.json", "/prod"), ("/openapi.json", "/")])
def test_the_server_is_where_the_stage_is(services: Services, stage_path: str, url: str) -> None:
    answer = FakeGateway(services).call(openapi_operation(lambda: ROUTES), path="/openapi.json", stage_path=stage_path)
    assert answer.json["servers"] == [{"url": url}]
    assert json.loads(answer.body) == {**document(), "servers": [{"url": url}]}


def test_many_prefixes_take_no_time(services: Services) -> None:
    """A client may send any X-Forwarded-Prefix; building the document for each would take a minute."""
    gateway, operation = FakeGateway(services), openapi_operation(lambda: ROUTES)
    gateway.call(operation, path="/openapi.json")
    started = time.thread_time()
    for number in range(300):
        headers = {"X-Forwarded-Prefix": f"/{number}"}
        answer = gateway.call(operation, path="/openapi.json", headers=headers)
        assert f'"servers":[{{"url":"/{number}"}}]'.encode() in answer.body
    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    ("name", "is_path"),
    [
        ("event_data.a", True),
        ("event_data.admin_data.username", True),
        ("event_data.items[0].name", True),
        ("event_data.matrix[10][2]", True),
        ("event_data.with space.é😀.$", True),
        ("event_data." + ".".join("a" * 31), True),
        ('event_data."a.b"', True),
        ('event_data.a."b[0]"[1].c', True),
        ('event_data.""', True),
        ("event_data.targets[*].id", True),
        ("event_data.size[gte]", True),
        ("event_data.items[0][exists]", True),
        ("event_data.size[eq]", False),
        ("event_data.size[gte].a", False),
        ("event_data.", False),
        ("event_data", False),
        ("event_data..a", False),
        ("event_data.a.", False),
        ("event_data.a[x]", False),
        ("event_data.a[0]b", False),
        ("event_data.[0]", False),
        ('event_data.a"b', False),
        ('event_data."a', False),
        ('event_data."a"b', False),
        ("event_data.a\\b", False),
        ("event_data.a\nb", False),
        ("limit", False),
    ],
)
def test_every_path_into_the_data_is_described_and_nothing_else(name: str, is_path: bool) -> None:  # noqa: FBT001
    [query] = [route for route in ROUTES if route.path == "/event" and route.method == "GET"]
    [parameter] = [each for each in operation(query)["parameters"] if each["name"] == "event_data"]
    assert (parameter["style"], parameter["explode"]) == ("form", True)
    assert Draft202012Validator(parameter["schema"]).is_valid({name: "1"}) is is_path
    value = "true" if name.endswith("[exists]") else "1"
    if is_path:
        assert parse([(name, value)]) != EventFilter()
    elif name.startswith("event_data."):
        with pytest.raises(InvalidFieldsError):
            parse([(name, value)])
    else:
        assert not EVENT_DATA.is_member(name)


def test_a_generated_client_may_send_any_path() -> None:
    """Generators make a dictionary of `additionalProperties`, and drop what only `patternProperties` allow."""
    [query] = [route for route in ROUTES if route.path == "/event" and route.method == "GET"]
    [parameter] = [each for each in operation(query)["parameters"] if each["name"] == "event_data"]
    assert parameter["schema"]["additionalProperties"] == {"type": "string"}


def test_no_parameter_has_a_default_that_another_one_excludes() -> None:
    """Generated clients send defaults, and offset with cursor is a 422."""
    [query] = [route for route in ROUTES if route.path == "/event" and route.method == "GET"]
    with_default = {each["name"] for each in operation(query)["parameters"] if "default" in each["schema"]}
    assert with_default == {"limit", "order"}


def test_every_operation_is_in_a_group_that_is_described() -> None:
    description = document()
    groups = {group["name"] for group in description["tags"]}
    used = [operation["tags"] for path in description["paths"].values() for operation in path.values()]
    assert {name for names in used for name in names} == groups
    assert all(len(names) == 1 for names in used)


def test_no_description_begins_a_block_of_code() -> None:
    """Markdown takes an indented paragraph for code."""
    for path in document()["paths"].values():
        for operation in path.values():
            assert "\n    " not in operation["description"]


def test_examples_are_valid_and_no_text_is_shown_as_the_word_string() -> None:
    description = document()
    answered = {"Accepted", "Event", "OAuthError", "Page", "Queued", "Token", "TypeCount"}
    for name, schema in description["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            validator = Draft202012Validator({**described, "components": description["components"]})
            assert all(validator.is_valid(example) for example in described.get("examples", ())), (name, field)
            if name in answered and described.get("type") == "string":
                assert {"examples", "enum", "const", "default", "format"} & described.keys(), (name, field)
