"""Problem details (RFC 9457), and the mapping of errors to HTTP statuses."""

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
    UnsupportedContentCodingError,
    UnsupportedMediaTypeError,
)
from functions.http.response import Response, ResponseModel

PROBLEM: Final = "application/problem+json"


RETRY_AFTER_SECONDS: Final = 2


def _errors_are_optional(schema: dict[str, Any]) -> None:
    """Correct the JSON Schema: `errors` is left out if it has its default, which other models always send."""
    schema["required"].remove("errors")


class Problem(ResponseModel):
    """Problem details (RFC 9457). `type` is about:blank: `status` has the kind, `detail` the remedy."""

    model_config = ConfigDict(json_schema_extra=_errors_are_optional)

    type: Literal["about:blank"] = "about:blank"
    title: str = Field(description="Reason phrase of the status.")
    status: int
    detail: str = Field(description="Cause and remedy.")
    instance: str = Field(description="Id of the request, as in X-Request-Id.")
    errors: list[FieldError] | SkipJsonSchema[None] = Field(
        default=None,
        description="With 422: each invalid field and the remedy; if there are many, the first ones and a count.",
        json_schema_extra=no_default,
    )


STATUS_OF: Final[Mapping[type[Exception], HTTPStatus]] = {
    errors.MalformedJSONError: HTTPStatus.BAD_REQUEST,
    MalformedRequestError: HTTPStatus.BAD_REQUEST,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.InvalidTokenError: HTTPStatus.UNAUTHORIZED,
    errors.InvalidClientError: HTTPStatus.UNAUTHORIZED,
    errors.SignInRefusedError: HTTPStatus.FORBIDDEN,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.InsufficientScopeError: HTTPStatus.FORBIDDEN,
    errors.EventNotFoundError: HTTPStatus.NOT_FOUND,
    errors.ProofNotFoundError: HTTPStatus.NOT_FOUND,
    errors.ProofPendingError: HTTPStatus.NOT_FOUND,
    errors.EventErasedError: HTTPStatus.GONE,
    errors.EventHeldError: HTTPStatus.CONFLICT,
    errors.ErasureRefusedError: HTTPStatus.CONFLICT,
    RouteNotFoundError: HTTPStatus.NOT_FOUND,
    MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    RequestTimeoutError: HTTPStatus.REQUEST_TIMEOUT,
    errors.CursorAheadError: HTTPStatus.CONFLICT,
    errors.StreamNotFoundError: HTTPStatus.NOT_FOUND,
    errors.NameTakenError: HTTPStatus.CONFLICT,
    errors.TooManyStreamsError: HTTPStatus.CONFLICT,
    errors.StreamStateError: HTTPStatus.CONFLICT,
    errors.AlertRuleNotFoundError: HTTPStatus.NOT_FOUND,
    errors.TooManyAlertRulesError: HTTPStatus.CONFLICT,
    errors.VersionConflictError: HTTPStatus.PRECONDITION_FAILED,
    errors.MissingVersionError: HTTPStatus.PRECONDITION_REQUIRED,
    PathTooLongError: HTTPStatus.REQUEST_URI_TOO_LONG,
    HeadersTooLargeError: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.EventTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnsupportedContentCodingError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidFieldsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotSupportedError: HTTPStatus.NOT_IMPLEMENTED,
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
    """Build the response to an error. None is an internal error, whose text is not shown."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    if error is not None:
        status = next((STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF), status)
    is_internal = status is HTTPStatus.INTERNAL_SERVER_ERROR
    details = Problem(
        title=status.phrase,
        status=status.value,
        detail=f"The service failed: report it with the request id {request_id}." if is_internal else str(error),
        instance=request_id,
        errors=error.errors if isinstance(error, errors.InvalidFieldsError) else None,
    )
    body = details.model_dump_json(exclude_none=True).encode()
    return Response(status.value, body, PROBLEM, headers_for(error))


def headers_for(error: errors.AuditLogError | None) -> dict[str, str]:
    """Return the headers that the response to this error needs: a challenge, Retry-After or Allow."""
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
        case errors.RateLimitedError() | errors.ProofPendingError():
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
        case UnsupportedContentCodingError():
            headers["Accept-Encoding"] = ", ".join(error.accepted)  # RFC 9110 section 15.5.16
        case MethodNotAllowedError():
            headers["Allow"] = ", ".join(error.allowed)
    return headers
