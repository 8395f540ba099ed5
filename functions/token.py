"""GET /access-token: issue a bearer token."""

from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import Field

from core.auth.narrowing import Grant, full_grant
from core.auth.tokens import DEFAULT_SCOPES
from core.domain.audit_events import audit_event
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
    scope: str = Field(description="Scopes of the token, separated by spaces.", examples=[" ".join(DEFAULT_SCOPES)])


def issue_token(request: Request, services: Services) -> Response:
    """Issue a token with all scopes of the client; in open mode, to anyone."""
    query = QueryString(request.query, (VALID_MINUTES,))
    minutes = query.one(VALID_MINUTES)
    query.raise_errors()
    client = None
    if services.settings.auth == "clients":
        client = authenticate_client(basic_credentials(request), request, services)
    return Response.of(200, token_for(client, full_grant(client, minutes), services))


def token_for(client: Client | None, grant: Grant, services: Services) -> Token:
    """Issue a token for `client` (None: open mode) with the rights of `grant`, and record it if it is for a viewer.

    Raises:
        InvalidFieldsError: the lifetime is out of bounds.
        QueueFullError: the event cannot be recorded, so there is no token; try again later.
        QueueUnavailableError: as above.
    """
    subject = ANONYMOUS if client is None else client.client_id
    token, lifetime = services.issuer.issue(
        subject,
        valid_minutes=grant.minutes,
        scopes=grant.scopes,
        customers=grant.customers,
        viewer=grant.viewer,
        not_before=None if client is None else client.tokens_not_before,
    )
    if grant.viewer is not None and services.settings.viewer_events == "on":
        _record_viewer(subject, grant, lifetime // 60, services)
    services.meter.count(CounterName.TOKEN_ISSUED, 1)
    return Token(token=token, access_token=token, expires_in=lifetime, scope=" ".join(grant.scopes))


def _record_viewer(subject: str, grant: Grant, minutes: int, services: Services) -> None:
    """Record that a viewer gets a token: in the log of its customer, or of the service if it is for several.

    The log of one customer must not name others.
    """
    customers = grant.customers or ()
    event = audit_event(
        "viewer",
        subject,
        at=datetime.fromtimestamp(services.clock(), UTC),
        actor={"id": grant.viewer, "type": "viewer"},
        action="opened",
        customers=list(customers),
        minutes=minutes,
    )
    if len(customers) == 1:
        event = event.model_copy(update={"customer_id": customers[0]})
    services.acceptance.publish([event])


handler = lambda_handler(issue_token)
