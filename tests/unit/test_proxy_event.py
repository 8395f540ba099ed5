import base64
import json
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import create_environ

from functions.http.errors import MalformedRequestError
from functions.http.request import ProxyEvent
from local_runner.aws_events import proxy_event
from local_runner.aws_events.proxy_event import HTTPRequest
from local_runner.http.wsgi import parse_environ

SAMPLE = Path(__file__).parents[1] / "events" / "api_gateway_post_event.json"


def build_proxy_event(body: bytes = b"", **environ: Any) -> ProxyEvent:
    request = parse_environ({**create_environ("/event"), **environ}, body)
    return proxy_event.build_proxy_event(request, request_id="r-1", resource="/event", path_parameters=None)


def query_of(query_string: str) -> tuple[Any, Any]:
    event = build_proxy_event(QUERY_STRING=query_string)
    return event["queryStringParameters"], event["multiValueQueryStringParameters"]


def test_every_key_of_our_event_is_one_of_api_gateway() -> None:
    real = json.loads(SAMPLE.read_text())
    ours = build_proxy_event()

    assert ours.keys() == real.keys()
    assert ours["requestContext"].keys() <= real["requestContext"].keys()
    assert ours["requestContext"]["identity"].keys() <= real["requestContext"]["identity"].keys()


def test_each_value_has_the_type_that_api_gateway_gives_it() -> None:
    real = json.loads(SAMPLE.read_text())
    ours = build_proxy_event(b"{}", HTTP_USER_AGENT="test")

    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in real.items()}
    for name, value in ours["requestContext"].items():
        assert type(value) is type(real["requestContext"][name]), name


def test_the_request_context_tells_of_the_request() -> None:
    event = proxy_event.build_proxy_event(
        HTTPRequest("GET", "/event/e-1", "", {"Host": ["audit.example"], "User-Agent": ["test"]}, b"", source_ip="::1"),
        request_id="r-1",
        resource="/event/{event_id}",
        path_parameters={"event_id": "e-1"},
    )

    assert (event["httpMethod"], event["path"], event["resource"]) == ("GET", "/event/e-1", "/event/{event_id}")
    assert event["pathParameters"] == {"event_id": "e-1"}
    context = event["requestContext"]
    assert context["requestId"] == "r-1"
    assert (context["resourcePath"], context["path"]) == ("/event/{event_id}", "/event/e-1")
    assert context["identity"] == {"sourceIp": "::1", "userAgent": "test"}
    assert context["domainName"] == "audit.example"


def test_a_repeated_parameter_keeps_all_values_and_the_last_one_as_the_single() -> None:
    assert query_of("customer_id=1&customer_id=2&order=asc") == (
        {"customer_id": "2", "order": "asc"},
        {"customer_id": ["1", "2"], "order": ["asc"]},
    )


@pytest.mark.parametrize(
    ("query_string", "name", "value"),
    [
        ("event_type=", "event_type", ""),
        ("event_type", "event_type", ""),
        ("event_type=user%2Elogin+now%2B1", "event_type", "user.login now+1"),
        ("event_type=%E2%82%AC", "event_type", "€"),
        ("event_data.a%3Db=c", "event_data.a=b", "c"),
        ("event_type=%FF%C3", "event_type", "\udcff\udcc3"),
        ("%FF=1", "\udcff", "1"),
        ("event_type=100%", "event_type", "100%"),
    ],
)
def test_a_parameter_is_decoded_and_nothing_of_it_mended(query_string: str, name: str, value: str) -> None:
    assert query_of(query_string) == ({name: value}, {name: [value]})


@pytest.mark.parametrize("query_string", ["", "&", "&&"])
def test_without_parameters_there_is_null(query_string: str) -> None:
    assert query_of(query_string) == (None, None)


def test_a_query_string_of_endless_fields_is_refused() -> None:
    query_of("&".join(["a=1"] * proxy_event.MAX_QUERY_FIELDS))
    with pytest.raises(MalformedRequestError, match="more than 200 fields"):
        query_of("&".join(["a=1"] * (proxy_event.MAX_QUERY_FIELDS + 1)))


def test_a_repeated_header_keeps_all_values_and_the_last_one_as_the_single() -> None:
    request = HTTPRequest("GET", "/event", "", {"X-Twice": ["a", "b"]}, b"", source_ip="")
    event = proxy_event.build_proxy_event(request, request_id="r", resource="/event", path_parameters=None)

    assert (event["headers"], event["multiValueHeaders"]) == ({"X-Twice": "b"}, {"X-Twice": ["a", "b"]})


def test_headers_get_back_their_names() -> None:
    event = build_proxy_event(
        HTTP_AUTHORIZATION="Bearer t", HTTP_IDEMPOTENCY_KEY="k", CONTENT_TYPE="application/json", CONTENT_LENGTH="2"
    )

    expected = {
        "Host": "localhost",
        "Authorization": "Bearer t",
        "Idempotency-Key": "k",
        "Content-Type": "application/json",
        "Content-Length": "2",
    }
    assert event["headers"] == expected
    assert event["multiValueHeaders"] == {name: [value] for name, value in expected.items()}


def test_headers_that_were_not_sent_are_not_there() -> None:
    assert build_proxy_event(CONTENT_TYPE="", CONTENT_LENGTH="")["headers"].keys() == {"Host"}


@pytest.mark.parametrize(
    ("path_info", "path"),
    [
        ("/event", "/event"),
        ("", "/"),
        ("/événement".encode().decode("latin-1"), "/événement"),
        ("/\xff", "/\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_the_path_is_utf8_that_wsgi_hands_over_as_latin_1(path_info: str, path: str) -> None:
    event = build_proxy_event(PATH_INFO=path_info)

    assert (event["path"], event["requestContext"]["path"]) == (path, path)


@pytest.mark.parametrize(
    ("body", "text", "is_base64"),
    [
        (b"", None, False),
        ('{"a": "é"}'.encode(), '{"a": "é"}', False),
        (b"\xff\x00", base64.b64encode(b"\xff\x00").decode(), True),
    ],
)
def test_a_body_goes_as_text_or_as_base64_if_it_is_no_text(body: bytes, text: str | None, is_base64: bool) -> None:  # noqa: FBT001 - a parameter of the test
    event = build_proxy_event(body)

    assert (event["body"], event["isBase64Encoded"]) == (text, is_base64)


def test_a_proxy_response_becomes_status_headers_and_bytes() -> None:
    headers = {"Content-Type": "application/json", "X-Request-Id": "r-1"}
    response = {"statusCode": 202, "headers": headers, "body": '"é"', "isBase64Encoded": False}

    assert proxy_event.parse_proxy_response(response) == (202, list(headers.items()), '"é"'.encode())


def test_a_base64_response_becomes_its_bytes() -> None:
    response = {"statusCode": 200, "headers": {}, "body": "/wA=", "isBase64Encoded": True}

    assert proxy_event.parse_proxy_response(response) == (200, [], b"\xff\x00")
