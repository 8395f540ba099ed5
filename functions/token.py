"""GET /access-token: a bearer token."""

from typing import Final, Literal

from pydantic import Field

from core.wiring import Services
from functions.endpoint import lambda_handler
from functions.http import Answer, Request, Response
from functions.query_string import Parameter, QueryString, integer

ANONYMOUS: Final = "anonymous"
"""The client of a service that runs with AUDIT_LOG_AUTH=open."""


VALID_MINUTES: Final = Parameter(
    "valid_minutes",
    integer,
    {"type": "integer", "minimum": 1},
    "How long the token shall live; at most AUDIT_LOG_TOKEN_MAX_MINUTES.",
)


class Token(Answer):
    """A bearer token (RFC 6749 section 5.1)."""

    token: str
    access_token: str = Field(description="The same token, by the name that OAuth clients look for.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds.")


def issue_token(request: Request, services: Services) -> Response:
    """Issue a token that may write and read, to anyone who can reach this service."""
    query = QueryString(request.query, (VALID_MINUTES,))
    minutes = query.one(VALID_MINUTES)
    query.refuse_if_wrong()
    token, lifetime = services.issuer.issue(ANONYMOUS, valid_minutes=minutes)
    return Response.of(200, Token(token=token, access_token=token, expires_in=lifetime))


handler = lambda_handler(issue_token)
