"""Bearer token authentication (RFC 6750)."""

import re
from functools import lru_cache
from typing import Final

from core.auth.tokens import Claims
from core.errors import InsufficientScopeError, InvalidTokenError, UnauthenticatedError
from core.ports.telemetry import CounterName
from core.wiring import Services
from functions.http.request import Request, authenticated_client, authenticated_viewer

# To ignore the case of a whole token takes four times as long.
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*) *")


def authenticate(request: Request, services: Services, scope: str) -> Claims:
    """Verify the request's bearer token and return its claims.

    Raises:
        UnauthenticatedError: no Authorization header, or another scheme than Bearer.
        InvalidTokenError: the token is malformed, forged, expired, or its client is disabled.
        TokenCheckUnavailableError: the keys or the disabled clients are unknown; try again later.
        InsufficientScopeError: the token lacks `scope`.
        MalformedRequestError: several Authorization headers.
        RateLimitedError: the client has sent too many requests.
    """
    try:
        claims = services.verifier.verify(_bearer(request.header("authorization")))
    except InvalidTokenError:
        services.meter.count(CounterName.TOKEN_REFUSED, 1)
        raise
    authenticated_client.set(claims.client)
    authenticated_viewer.set(claims.viewer)
    if services.settings.rate_limit_requests:
        services.limiter.count_request(claims.client)
    if scope not in claims.scope:
        raise InsufficientScopeError(f"The token lacks the scope {scope}.", scope)
    return claims


@lru_cache(maxsize=1000)  # a client sends the same header with every request
def _bearer(authorization: str | None) -> str:
    if authorization is None or not authorization[:7].lower().startswith("bearer"):
        raise UnauthenticatedError(
            "The request has no token: get one from /access-token and send Authorization: Bearer TOKEN."
        )
    token = _BEARER.fullmatch(authorization)
    if token is None:
        raise InvalidTokenError("The Authorization header is malformed: send Authorization: Bearer TOKEN.")
    return token[1]
