import json
import uuid
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from core import errors
from core.wiring import Services
from functions.http import errors as http_errors
from functions.http.errors import MalformedRequestError
from functions.http.handler import Operation, lambda_handler
from functions.http.problems import STATUS_OF, problem
from functions.http.request import Request
from functions.http.response import Response
from tests.support.builders import proxy_event

FIELDS: list[errors.FieldError] = [{"loc": ["a", 0], "msg": "is wrong"}]
STATUSES = {
    errors.InvalidSettingsError("x"): 500,
    errors.MalformedJSONError("x"): 400,
    errors.InvalidFieldsError("x", FIELDS): 422,
    errors.UnauthenticatedError("x"): 401,
    errors.InvalidTokenError("x"): 401,
    errors.InsufficientScopeError("x", "events:read"): 403,
    errors.InvalidClientError("x"): 401,
    errors.SignInRefusedError("x"): 403,
    errors.RateLimitedError("x", 7): 429,
    errors.EventNotFoundError("x"): 404,
    errors.ClientNotFoundError("x"): 500,
    errors.CursorAheadError("x"): 409,
    errors.EventErasedError("x"): 410,
    errors.EventHeldError("x"): 409,
    errors.ErasureRefusedError("x"): 409,
    errors.HoldNotFoundError("x"): 500,
    errors.EventTooLargeError("x"): 413,
    errors.QueueFullError("x"): 503,
    errors.QueueUnavailableError("x"): 503,
    errors.StoreUnavailableError("x"): 503,
    errors.ReadTimeoutError("x"): 503,
    errors.SecretUnavailableError("x"): 503,
    errors.TokenCheckUnavailableError("x"): 503,
    errors.ClientNotFoundError("x"): 500,
    errors.MetricsUnavailableError("x"): 500,
    errors.EventNotStorableError("x"): 500,
    errors.NotSupportedError("x"): 501,
    errors.GuardUnavailableError("x"): 500,
    errors.AnchorUnavailableError("x"): 500,
    errors.ArchiveUnavailableError("x"): 500,
    errors.RuleNotFoundError("x"): 500,
    errors.PurgeRefusedError("x"): 500,
    errors.LedgerForkError("x"): 500,
    errors.ProofNotFoundError("x"): 404,
    errors.ProofPendingError("x", 5): 404,
    errors.StreamNotFoundError("x"): 404,
    errors.NameTakenError("x"): 409,
    errors.TooManyStreamsError("x"): 409,
    errors.AlertRuleNotFoundError("x"): 404,
    errors.TooManyAlertRulesError("x"): 409,
    errors.StreamStateError("x"): 409,
    errors.VersionConflictError("x"): 412,
    errors.MissingVersionError("x"): 428,
    errors.DeliveryError("x"): 500,
    errors.DeliveryDelayedError("x"): 500,
    errors.DeliveryRefusedError("x"): 500,
    errors.DestinationGoneError("x"): 500,
    errors.MisconfiguredError("x"): 500,
    http_errors.UnsupportedMediaTypeError("x"): 415,
    http_errors.UnsupportedContentCodingError(["gzip"]): 415,
    http_errors.MalformedRequestError("x"): 400,
    http_errors.RequestTimeoutError("x"): 408,
    http_errors.ServerBusyError("x"): 503,
    http_errors.PathTooLongError("x"): 414,
    http_errors.HeadersTooLargeError("x"): 431,
    http_errors.OverloadedError("x"): 503,
    http_errors.RouteNotFoundError("x"): 404,
    http_errors.OverloadedError("x"): 503,
    http_errors.MethodNotAllowedError(["GET", "HEAD"]): 405,
}


def error_classes(base: type[errors.AuditLogError] = errors.AuditLogError) -> set[type[errors.AuditLogError]]:
    """The classes that have a status each. Those of other modules have that of the class that they extend."""
    ours = {cls for cls in base.__subclasses__() if cls.__module__ in {"core.errors", "functions.http.errors"}}
    return ours.union(*map(error_classes, ours))


def failing(error: Exception) -> Operation:
    def fail(_request: Request, _services: Services) -> Response:
        raise error

    return fail


def answer(operation: Operation, services: Services, event: dict[str, Any] | None = None) -> dict[str, Any]:
    return lambda_handler(operation, lambda: services)(event or proxy_event(), None)


def test_only_the_method_is_needed_of_an_event() -> None:
    assert Request.from_event({"httpMethod": "GET"}) == Request(
        method="GET",
        path="/",
        headers={},
        query=[],
        path_parameters={},
        body=b"",
        url_prefix="",
        source_ip="",
    )


def test_null_counts_as_missing_everywhere() -> None:
    nothing = dict.fromkeys([*proxy_event(), "httpMethod"])
    assert Request.from_event(nothing) == Request.from_event({"httpMethod": "GET"})
    assert Request.from_event({**nothing, "requestContext": {"path": None}}) == Request.from_event({})


def test_all_values_go_before_the_single_ones() -> None:
    request = Request.from_event(proxy_event(query=[("a", "1"), ("b", "2"), ("a", "3")], headers={"X-Y": "z"}))
    assert request.query == [("a", "1"), ("a", "3"), ("b", "2")]
    assert request.header("x-y") == "z"


def test_single_values_do_where_an_event_has_no_others() -> None:
    thin = {"httpMethod": "GET", "headers": {"X-Y": "z"}, "queryStringParameters": {"a": "1"}}
    assert Request.from_event(thin).query == [("a", "1")]
    assert Request.from_event(thin).header("x-y") == "z"
    assert Request.from_event(thin).header("x-z") is None


@pytest.mark.parametrize("headers", [{"X-Y": ["1", "2"]}, {"X-Y": ["1"], "x-y": ["2"]}])
def test_a_header_that_may_come_once_is_refused_when_it_comes_again(headers: dict[str, list[str]]) -> None:
    request = Request.from_event({"httpMethod": "GET", "multiValueHeaders": headers})
    with pytest.raises(MalformedRequestError, match="X-Y occurs 2 times"):
        request.header("x-y")


@pytest.mark.parametrize("body", ["text é", "text é".encode()])
def test_a_body_arrives_as_bytes(body: str | bytes) -> None:
    assert Request.from_event(proxy_event(body=body)).body == "text é".encode()
    assert Request.from_event({"httpMethod": "POST", "body": body}).body == "text é".encode()


def test_a_body_that_utf8_cannot_carry_is_left_to_whoever_reads_it() -> None:
    assert Request.from_event({"httpMethod": "POST", "body": "\ud800"}).body == b"\xed\xa0\x80"


@pytest.mark.parametrize("body", ["no base64!", "YQ", "é"])
def test_a_body_that_is_only_said_to_be_base64_is_refused(body: str) -> None:
    with pytest.raises(MalformedRequestError, match="marked as base64, but is not"):
        Request.from_event({"httpMethod": "POST", "body": body, "isBase64Encoded": True})


@pytest.mark.parametrize(("stage_path", "prefix"), [("/prod/event", "/prod"), ("/event", "")])
def test_what_the_stage_puts_before_a_path_is_known(stage_path: str, prefix: str) -> None:
    assert Request.from_event(proxy_event(path="/event", stage_path=stage_path)).url_prefix == prefix


@pytest.mark.parametrize(
    ("sent", "prefix"),
    [
        ("/audit", "/audit"),
        ("/audit/", "/audit"),
        ("/a/b-c/~d.e_1", "/a/b-c/~d.e_1"),
        ("", ""),
        ("/", ""),
        ("audit", ""),
        ("//evil.example", ""),
        ("/a//b", ""),
        ("https://evil.example", ""),
        ("/a b", ""),
        ("/a\n", ""),
        ("/a?b", ""),
        ("/a, /b", ""),
        ("/é", ""),
    ],
)
def test_the_path_of_a_proxy_is_known_if_it_is_plain(sent: str, prefix: str) -> None:
    event = proxy_event(path="/event", stage_path="/prod/event", headers={"X-Forwarded-Prefix": sent})
    assert Request.from_event(event).url_prefix == f"{prefix}/prod"


def test_every_error_has_a_status_that_was_chosen_for_it() -> None:
    assert {type(error) for error in STATUSES} == error_classes()
    ours = {type(error) for error, status in STATUSES.items() if status == 500}
    assert set(STATUS_OF) == error_classes() - ours


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda value: type(value).__name__)
def test_an_error_is_answered_as_problem_details(error: errors.AuditLogError, status: int, services: Services) -> None:
    response = answer(failing(error), services)
    details = json.loads(response["body"])
    assert response["statusCode"] == details["status"] == status
    assert response["headers"]["Content-Type"] == "application/problem+json"
    assert response["headers"]["X-Request-Id"] == details["instance"] == "request-1"
    assert (details["type"], details["title"]) == ("about:blank", HTTPStatus(status).phrase)
    assert details.get("errors") == (FIELDS if status == 422 else None)
    pending = "5" if isinstance(error, errors.ProofPendingError) else None
    assert response["headers"].get("Retry-After") == {503: "2", 429: "7"}.get(status, pending)


def test_a_subclass_is_answered_like_the_nearest_class_above_it() -> None:
    class OneMoreError(errors.QueueFullError):
        pass

    assert problem(OneMoreError("x"), "1").status == 503
    assert problem(errors.AuditLogError("x"), "1").status == 500


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (errors.UnauthenticatedError("x"), "WWW-Authenticate", "Bearer"),
        (errors.InvalidTokenError("x"), "WWW-Authenticate", 'Bearer error="invalid_token"'),
        (
            errors.InsufficientScopeError("x", "events:read"),
            "WWW-Authenticate",
            'Bearer error="insufficient_scope", scope="events:read"',
        ),
        (http_errors.MethodNotAllowedError(["GET", "HEAD"]), "Allow", "GET, HEAD"),
    ],
)
def test_an_error_says_in_its_header_what_to_do(error: errors.AuditLogError, name: str, value: str) -> None:
    assert problem(error, "1").headers == {name: value}


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("secret"), errors.InvalidSettingsError("secret"), errors.EventNotStorableError("secret")],
)
def test_an_error_of_our_own_is_answered_without_a_word_of_it(error: Exception, services: Services) -> None:
    response = answer(failing(error), services)
    assert response["statusCode"] == 500
    assert "secret" not in str(response)
    assert "request id request-1" in json.loads(response["body"])["detail"]


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("reason"), errors.InvalidSettingsError("reason"), errors.EventNotStorableError("reason")],
)
def test_an_error_of_our_own_is_logged_with_the_request(
    error: Exception, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    answer(failing(error), services)
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert vars(record)["request_id"] == "request-1"
    assert "reason" in f"{record.exc_text} {vars(record).get('reason')}"


def test_the_request_id_is_the_gateways_or_lambdas_or_new(services: Services) -> None:
    def request_id(event: dict[str, Any], context: object) -> str:
        found: str = lambda_handler(lambda *_: Response(204), lambda: services)(event, context)["headers"][
            "X-Request-Id"
        ]
        return found

    invocation = SimpleNamespace(aws_request_id="invocation-1")
    assert request_id(proxy_event(request_id="gateway-1"), invocation) == "gateway-1"
    assert request_id(proxy_event(request_id=None), invocation) == "invocation-1"
    new = [request_id({"httpMethod": "GET"}, None) for _ in range(2)]
    assert len({uuid.UUID(text) for text in new}) == 2


def test_head_is_answered_like_get_but_for_the_body(services: Services) -> None:
    get, head = (
        answer(lambda *_: Response(200, "é".encode()), services, proxy_event(method)) for method in ("GET", "HEAD")
    )
    assert (get["body"], head["body"]) == ("é", "")
    assert get["headers"] == head["headers"]
    assert head["headers"]["Content-Length"] == "2"


def test_a_body_that_is_no_text_goes_as_base64() -> None:
    response = Response(200, b"\xff\x00", "image/png", is_text=False).to_proxy("1")
    assert (response["body"], response["isBase64Encoded"]) == ("/wA=", True)
    assert response["headers"]["Content-Length"] == "2"


def test_an_answer_may_be_cached_only_where_it_says_so() -> None:
    assert Response(200).to_proxy("1")["headers"]["Cache-Control"] == "no-store"
    cached = Response(200, headers={"Cache-Control": "max-age=1"})
    assert cached.to_proxy("1")["headers"]["Cache-Control"] == "max-age=1"
