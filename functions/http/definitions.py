"""Requests about streams and alert rules: their actor, the JSON body with a definition, and the version (ETag)."""

import re
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from core.auth.tokens import MANAGE_STREAMS, Claims
from core.domain import strict_json
from core.domain.actors import Actor
from core.domain.field_errors import field_errors
from core.errors import EventTooLargeError, InvalidFieldsError, MissingVersionError, VersionConflictError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.limits import MAX_DEFINITION_BYTES
from functions.http.media_types import JSON, media_type
from functions.http.query_string import QueryString
from functions.http.request import Request

_MAX_ERRORS: Final = 20
_TAG: Final = re.compile(r'(?:W/)?("[0-9]{1,19}")')
"""A version. Proxies that compress responses make its tag a weak one, which means the same version here."""
_Model = TypeVar("_Model", bound=BaseModel)


def actor_of(request: Request, services: Services) -> tuple[Actor, Claims]:
    """Authenticate a request, which has no query parameters. Raises the errors of `authenticate`."""
    claims = authenticate(request, services, MANAGE_STREAMS)
    QueryString(request.query, known=()).raise_errors()
    return Actor(claims.client, claims.customers), claims


def parse_body(request: Request, model: type[_Model], thing: str) -> _Model:
    """Parse the JSON body. `thing` names in errors what it defines, such as `stream`.

    Raises:
        InvalidFieldsError: a field is invalid; values are not repeated.
        MalformedJSONError: the body is not JSON.
        UnsupportedMediaTypeError: it has another media type.
        EventTooLargeError: it has more than `MAX_DEFINITION_BYTES`.
    """
    body = decode_body(request, MAX_DEFINITION_BYTES)
    media_type(request, JSON)
    if len(body) > MAX_DEFINITION_BYTES:
        raise EventTooLargeError(f"The body has {len(body)} bytes: at most {MAX_DEFINITION_BYTES} are accepted.")
    try:
        return model.model_validate(strict_json.loads(body))
    except ValidationError as exc:
        raise InvalidFieldsError(f"The {thing} is invalid: see errors.", field_errors(exc)[:_MAX_ERRORS]) from None


def etag(version: int) -> str:
    """Return a version as an entity tag."""
    return f'"{version}"'


def require_version(request: Request, version: int, thing: str) -> None:
    """Check If-Match (RFC 9110 section 13.1.1) against the version of a stream or alert rule.

    Raises:
        MissingVersionError: the request has none, or something else, such as `*` or several.
        VersionConflictError: it names another version.
    """
    wanted = _TAG.fullmatch((request.header("if-match") or "").strip())
    if wanted is None:
        raise MissingVersionError(
            f"Send If-Match with the ETag of the {thing} that you have read, such as {etag(1)}, so that no change of "
            "others is lost."
        )
    if wanted[1] != etag(version):
        raise VersionConflictError(f"The {thing} was changed since it was read: read it again, and repeat the change.")
