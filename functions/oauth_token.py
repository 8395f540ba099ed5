"""POST /oauth2/token: issue a bearer token by the OAuth 2.0 client credentials grant.

RFC 6749, sections 4.4 (grant), 2.3.1 (client authentication) and 5.2 (errors).
"""

from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from pydantic import Field

from core.auth.narrowing import NARROWING, RefusedRequestError, full_grant, narrow
from core.auth.tokens import SCOPES
from core.errors import EventTooLargeError, InvalidClientError
from core.wiring import Services
from functions.http.client_credentials import authenticate_client, basic_credentials
from functions.http.content_coding import require_identity
from functions.http.errors import MalformedRequestError
from functions.http.handler import lambda_handler
from functions.http.limits import MAX_FORM_BYTES
from functions.http.media_types import media_type
from functions.http.problems import headers_for
from functions.http.request import Request
from functions.http.response import Response, ResponseModel
from functions.token import token_for

FORM: Final = "application/x-www-form-urlencoded"
_SCOPE: Final = "|".join(SCOPES)
_MAX_FIELDS: Final = 20


def _narrowing(pattern: str) -> Callable[[dict[str, Any]], None]:
    """Build the JSON Schema of a field that has no default, because it must not be empty."""

    def change(schema: dict[str, Any]) -> None:
        del schema["default"]
        schema["pattern"] = pattern

    return change


class TokenRequest(ResponseModel):
    """The posted form. A parameter of OAuth with an empty value counts as omitted (RFC 6749 section 3.1)."""

    grant_type: Literal["client_credentials"]
    scope: str = Field(
        default="",
        description="Requested scopes, separated by spaces; default: all scopes of the client.",
        json_schema_extra={"pattern": f"^(({_SCOPE})( ({_SCOPE}))*)?$"},
    )
    customers: str = Field(
        default="",
        description="Customers that the token is limited to, separated by spaces, of those that the client may see; "
        "default: all of these.",
        json_schema_extra=_narrowing("^-?[0-9]{1,20}( -?[0-9]{1,20})*$"),
    )
    valid_minutes: str = Field(
        default="",
        description="Lifetime of the token in minutes, at most AUDIT_LOG_TOKEN_MAX_MINUTES; default: 1800, or the "
        "maximum if lower.",
        json_schema_extra=_narrowing("^0*[1-9][0-9]{0,6}$"),
    )
    viewer: str = Field(
        default="",
        description="Person that the token is for, such as an e-mail address. Such a token only reads, and is limited "
        "to customers.",
        json_schema_extra=_narrowing(r"^[^\u0000-\u001f\u007f-\u009f]{1,255}$"),
    )
    client_id: str = Field(default="", description="Instead of HTTP Basic authentication.")
    client_secret: str = Field(default="", description="Instead of HTTP Basic authentication.")


class OAuthError(ResponseModel):
    """Error of the token endpoint (RFC 6749 section 5.2)."""

    error: Literal["invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"]
    error_description: str = Field(examples=["grant_type is missing: send grant_type=client_credentials."])


def oauth_token(request: Request, services: Services) -> Response:
    """Issue a token to the authenticated client; in open mode, to anyone."""
    require_identity(request)
    media_type(request, FORM)
    if len(request.body) > MAX_FORM_BYTES:
        raise EventTooLargeError(f"The form has {len(request.body)} bytes: at most {MAX_FORM_BYTES} are accepted.")
    try:
        form = _form(request)
        client = None
        if services.settings.auth == "clients":
            client = authenticate_client(_credentials(request, form), request, services)
        grant = narrow(full_grant(client), form, services.settings.token_max_minutes)
        return Response.of(200, token_for(client, grant, services), {"Pragma": "no-cache"})
    except RefusedRequestError as exc:
        return Response.of(400, OAuthError(error=exc.code, error_description=str(exc)))
    except MalformedRequestError as exc:
        return Response.of(400, OAuthError(error="invalid_request", error_description=str(exc)))
    except InvalidClientError as exc:
        return Response.of(401, OAuthError(error="invalid_client", error_description=str(exc)), headers_for(exc))


handler = lambda_handler(oauth_token)


def _form(request: Request) -> dict[str, str]:
    if request.query:
        raise RefusedRequestError("invalid_request", "Send the parameters in the body, not in the query string.")
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise RefusedRequestError(
            "invalid_request", f"The body is not a form ({FORM}) in UTF-8, or has more than {_MAX_FIELDS} fields."
        ) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RefusedRequestError("invalid_request", "The form has a parameter twice: send each once.")
    match form.get("grant_type"):
        case "client_credentials":
            # RFC 6749 section 3.1: a parameter with an empty value counts as omitted.
            return {name: value for name, value in form.items() if value or name in NARROWING}
        case None | "":
            raise RefusedRequestError("invalid_request", "grant_type is missing: send grant_type=client_credentials.")
    raise RefusedRequestError("unsupported_grant_type", "Only grant_type=client_credentials is supported.")


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str] | None:
    by_header = basic_credentials(request)
    by_form = (form["client_id"], form["client_secret"]) if {"client_id", "client_secret"} <= form.keys() else None
    if by_header and (by_form or form.get("client_id", by_header[0]) != by_header[0]):
        raise RefusedRequestError(
            "invalid_request",
            "The header and the form both have client credentials, or name different clients: send one of them.",
        )
    return by_header or by_form
