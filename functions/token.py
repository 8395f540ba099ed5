"""GET /access-token: issue a bearer token."""

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import Field

from core.auth.tokens import SCOPES
from core.domain.filter_values import integer
from core.domain.models import Client
from core.ports.telemetry import CounterName
from core.wiring import Services
from functions.http.client_credentials import authenticate_client, basic_credentials
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response, ResponseModel

ANONYMOUS: Final = "anonymous"
"""Name of every client while AUDIT_LOG_AUTH=open."""

VALID_MINUTES: Final = Parameter(
    "valid_minutes",
    integer,
    {"type": "integer", "minimum": 1},
    "Lifetime of the token in minutes, at most AUDIT_LOG_TOKEN_MAX_MINUTES; default: 1800, or the maximum if lower.",
)


_EXAMPLE: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjbGllbnQifQ.c2lnbmF0dXJl"


class Token(ResponseModel):
    """A bearer token (RFC 6749 section 5.1)."""

    token: str = Field(examples=[_EXAMPLE])
    access_token: str = Field(
        description="The same token, under the name that OAuth clients expect.", examples=[_EXAMPLE]
    )
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Lifetime in seconds.", examples=[108_000])
    scope: str = Field(description="Scopes of the token, separated by spaces.", examples=[" ".join(SCOPES)])


def issue_token(request: Request, services: Services) -> Response:
    """Issue a token with all scopes of the client; in open mode, to anyone."""
    query = QueryString(request.query, (VALID_MINUTES,))
    minutes = query.one(VALID_MINUTES)
    query.raise_errors()
    client = None
    if services.settings.auth == "clients":
        client = authenticate_client(basic_credentials(request), request, services)
    return Response.of(200, token_for(client, services, minutes=minutes))


def token_for(
    client: Client | None, services: Services, *, minutes: int | None = None, scopes: Sequence[str] | None = None
) -> Token:
    """Issue a token for `client` (None: open mode) with `scopes`, by default with all that it may have.

    `minutes` is the lifetime; None is the default.

    Raises:
        InvalidFieldsError: `minutes` is out of bounds.
    """
    granted = scopes or (SCOPES if client is None else client.scopes)
    token, lifetime = services.issuer.issue(
        ANONYMOUS if client is None else client.client_id,
        valid_minutes=minutes,
        scopes=granted,
        customers=None if client is None else client.customers,
        not_before=None if client is None else client.tokens_not_before,
    )
    services.meter.count(CounterName.TOKEN_ISSUED, 1)
    return Token(token=token, access_token=token, expires_in=lifetime, scope=" ".join(granted))


handler = lambda_handler(issue_token)
