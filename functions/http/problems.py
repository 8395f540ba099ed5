"""Problem details (RFC 9457): the one table from errors to statuses."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from core import errors
from core.domain.models import no_default
from core.errors import FieldError
from functions.http.errors import (
    HeadersTooLargeError,
    MalformedRequestError,
    MethodNotAllowedError,
    OverloadedError,
    PathTooLongError,
    RequestTimeoutError,
    RouteNotFoundError,
    ServerBusyError,
    UnsupportedMediaTypeError,
)
from functions.http.response import Response, ResponseModel

PROBLEM: Final = "application/problem+json"


RETRY_AFTER_SECONDS: Final = 2


def _errors_are_optional(schema: dict[str, Any]) -> None:
    """Correct the JSON Schema: `errors` is left out if it has its default, which other models always send."""
    schema["required"].remove("errors")


class Problem(ResponseModel):
    """Problem details (RFC 9457). `type` is about:blank: the status says what kind, the detail what to do."""

    model_config = ConfigDict(json_schema_extra=_errors_are_optional)

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
    OverloadedError: HTTPStatus.SERVICE_UNAVAILABLE,
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
            | OverloadedError()
            | errors.SecretUnavailableError()
        ):
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        case MethodNotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
    return headers
