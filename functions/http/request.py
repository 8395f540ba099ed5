"""Between API Gateway's proxy events and the core: requests, responses, and the one table from errors to statuses.

The events are those of the REST API's Lambda proxy integration, payload version 1.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from core import errors
from core.domain import traceparent
from core.domain.models import no_default
from core.errors import FieldError

ProxyEvent = Mapping[str, Any]
ProxyResponse = dict[str, Any]

PROBLEM: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2


class UnsupportedMediaTypeError(errors.AuditLogError):
    """The body is of a type that this route does not read. Send one that the message names."""


class MalformedRequestError(errors.AuditLogError):
    """The request breaks HTTP's own rules. Correct it as the message says."""


class PathTooLongError(errors.AuditLogError):
    """The path and query are longer than those of a request may be. Send less, such as a shorter list of filters."""


class HeadersTooLargeError(errors.AuditLogError):
    """There are more headers, or larger ones, than a request may have. Send fewer."""


class RequestTimeoutError(errors.AuditLogError):
    """The request did not arrive in time. Send it again, over a connection that is fast enough."""


class ServerBusyError(errors.AuditLogError):
    """Too many requests of this kind are at work here already. Nothing was done: send it again after a while."""


class OverloadedError(errors.AuditLogError):
    """The service has no memory or connection left for this. Nothing was accepted: send it again after a while."""


class RouteNotFoundError(errors.AuditLogError):
    """There is no such path. See /docs."""


class MethodNotAllowedError(errors.AuditLogError):
    """The path does not take this method; `allowed` are those that it takes."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"This path takes {', '.join(allowed)}.")
        self.allowed = allowed


@dataclass(slots=True)
class Caller:
    """Who turned out to have sent a request: whoever finds out says so here, for the line in the log."""

    client: str | None = None


class Request(NamedTuple):
    """What a handler may know of an HTTP request. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    query: Sequence[tuple[str, str]]
    path_parameters: Mapping[str, str]
    body: bytes
    url_prefix: str
    source_ip: str
    caller: Caller
    traceparent: str | None = None
    """Which trace it is a part of, see `core.domain.traceparent`."""

    @classmethod
    def from_event(cls, event: ProxyEvent) -> "Request":
        """Read a proxy event; every key but the method may be missing or null.

        Raises:
            MalformedRequestError: the body is marked as base64 and is not.
        """
        path = event.get("path") or "/"
        context = event.get("requestContext") or {}
        headers = _headers(event.get("multiValueHeaders") or _single(event.get("headers")))
        query = event.get("multiValueQueryStringParameters") or _single(event.get("queryStringParameters"))
        return cls(
            method=event.get("httpMethod") or "GET",
            path=path,
            headers=headers,
            query=[(name, value) for name, values in query.items() for value in values] if query else [],
            path_parameters=event.get("pathParameters") or {},
            body=_body(event),
            # A stage puts its name before every path that the client sees: /prod/event.
            url_prefix=(context.get("path") or path).removesuffix(path),
            source_ip=(context.get("identity") or {}).get("sourceIp") or "",
            caller=Caller(),
            traceparent=_traceparent(headers) if traceparent.TRACEPARENT in headers else None,
        )

    def header(self, name: str) -> str | None:
        """The value of a header that may come once at most; `name` in lower case.

        Raises:
            MalformedRequestError: it came more than once, so that two readers could each believe another.
        """
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise MalformedRequestError(f"The header {name.title()} came {len(values)} times: send it once.")
        return values[0] if values else None


class Answer(BaseModel):
    """Base of what is answered in JSON. A field with a default is always sent, and is described so."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Response(NamedTuple):
    """An answer, before it is given the form that API Gateway wants."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})
    is_text: bool = True

    @classmethod
    def of(cls, status: int, answer: BaseModel, headers: Mapping[str, str] | None = None) -> "Response":
        """An answer in JSON."""
        return cls(status, answer.model_dump_json().encode(), headers=headers or {})

    def to_proxy(
        self, request_id: str, *, with_body: bool = True, extra_headers: Mapping[str, str] | None = None
    ) -> ProxyResponse:
        """The proxy response. HEAD is answered like GET, length included, without the body (RFC 9110 section 9.3.2)."""
        body = self.body if with_body else b""
        return {
            "statusCode": self.status,
            "headers": {
                "Content-Type": self.content_type,
                "Content-Length": str(len(self.body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "X-Request-Id": request_id,
                **self.headers,
                **(extra_headers or {}),
            },
            "body": body.decode() if self.is_text else base64.b64encode(body).decode(),
            "isBase64Encoded": not self.is_text,
        }


class Problem(Answer):
    """Problem details (RFC 9457). `type` is about:blank: the status says what kind, the detail what to do."""

    type: Literal["about:blank"] = "about:blank"
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What to do.")
    instance: str = Field(description="The id of the request, as in X-Request-Id.")
    errors: list[FieldError] | SkipJsonSchema[None] = Field(
        default=None,
        description="With 422: each thing that is wrong, and where; of very many the first, and how many more.",
        json_schema_extra=no_default,
    )


STATUS_OF: Final[Mapping[type[Exception], HTTPStatus]] = {
    errors.MalformedJSONError: HTTPStatus.BAD_REQUEST,
    MalformedRequestError: HTTPStatus.BAD_REQUEST,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.InvalidTokenError: HTTPStatus.UNAUTHORIZED,
    errors.InvalidClientError: HTTPStatus.UNAUTHORIZED,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.InsufficientScopeError: HTTPStatus.FORBIDDEN,
    errors.EventNotFoundError: HTTPStatus.NOT_FOUND,
    RouteNotFoundError: HTTPStatus.NOT_FOUND,
    MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    RequestTimeoutError: HTTPStatus.REQUEST_TIMEOUT,
    PathTooLongError: HTTPStatus.REQUEST_URI_TOO_LONG,
    HeadersTooLargeError: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.EventTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidFieldsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    OverloadedError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QueueFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QueueUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TokenCheckUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ReadTimeoutError: HTTPStatus.SERVICE_UNAVAILABLE,
    ServerBusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SecretUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(error: errors.AuditLogError | None, request_id: str) -> Response:
    """The answer to an error, as problem details (RFC 9457); None stands for one that is ours and tells nothing."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if error is not None:
        status = next((STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF), status)
    ours = status is HTTPStatus.INTERNAL_SERVER_ERROR
    details = Problem(
        title=status.phrase,
        status=status.value,
        detail=f"This is our fault; report it with the request id {request_id}." if ours else str(error),
        instance=request_id,
        errors=error.errors if isinstance(error, errors.InvalidFieldsError) else None,
    )
    body = details.model_dump_json(exclude_none=True).encode()
    return Response(status.value, body, PROBLEM, headers_for(error))


def request_id_of(event: ProxyEvent, context: object) -> str:
    """API Gateway's id of the request, else Lambda's id of the invocation, else a new one."""
    gateways = (event.get("requestContext") or {}).get("requestId")
    return str(gateways or getattr(context, "aws_request_id", None) or uuid.uuid4())


def headers_for(error: errors.AuditLogError | None) -> dict[str, str]:
    """The headers that an answer to this error carries beside its problem details."""
    headers: dict[str, str] = {}
    match error:
        case errors.InvalidTokenError():
            headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        case errors.UnauthenticatedError():
            headers["WWW-Authenticate"] = "Bearer"
        case errors.InsufficientScopeError():
            headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{error.scope}"'
        case errors.InvalidClientError():
            headers["WWW-Authenticate"] = 'Basic realm="audit-log", charset="UTF-8"'
        case errors.RateLimitedError():
            headers["Retry-After"] = str(error.retry_after)
        case (
            OverloadedError()
            | errors.QueueFullError()
            | errors.QueueUnavailableError()
            | errors.StoreUnavailableError()
            | errors.TokenCheckUnavailableError()
            | ServerBusyError()
            | errors.SecretUnavailableError()
        ):
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        case MethodNotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
    return headers


def _single(values: Mapping[str, str] | None) -> Mapping[str, Sequence[str]]:
    """What has a single value each, in the form with all values."""
    return {name: [value] for name, value in values.items()} if values else {}


def _headers(given: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """By name in lower case: a header that came in two spellings came twice."""
    headers = {name.lower(): values for name, values in given.items()}
    if len(headers) == len(given):
        return headers
    merged: dict[str, list[str]] = {}
    for name, values in given.items():
        merged.setdefault(name.lower(), []).extend(values)
    return merged


def _traceparent(headers: Mapping[str, Sequence[str]]) -> str | None:
    """Several are none, which the standard asks for."""
    values = headers[traceparent.TRACEPARENT]
    return traceparent.checked(values[0]) if len(values) == 1 else None


def _body(event: ProxyEvent) -> bytes:
    body = event.get("body") or b""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedRequestError("The body is marked as base64 and is not.") from None
    # `chalice local` hands over bytes. Text that UTF-8 cannot carry is refused where the JSON is read.
    return body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
