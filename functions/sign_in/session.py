"""GET /session/sign-in and /session/callback, POST /session/token and /session/sign-out."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import Field

from core.auth.sign_in import Attempt, Person, SignIn
from core.auth.sign_in_refusals import Refusal
from core.auth.tokens import READ
from core.domain.audit_events import audit_event
from core.domain.filter_values import boolean
from core.errors import (
    InvalidTokenError,
    SignInRefusedError,
    StoreUnavailableError,
    TokenCheckUnavailableError,
    UnauthenticatedError,
)
from core.ports.sessions import Session
from core.wiring import Services
from functions.http.errors import RouteNotFoundError
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response, ResponseModel
from functions.pages.sign_in_failed import sign_in_failed
from functions.sign_in.cookies import (
    ATTEMPT,
    ATTEMPT_SECONDS,
    LOGOUT_HINT,
    SESSION,
    read_cookie,
    require_own_page,
    set_cookie,
)
from functions.token import Token

TOKEN_MINUTES: Final = 5
"""Lifetime of a token: for that long a session that was ended elsewhere can still read."""

EVERYWHERE: Final = Parameter(
    "everywhere", boolean, {"type": "boolean", "default": False}, "Whether to end all sessions of the person."
)

MAX_ID_TOKEN: Final = 3500
"""Length of an ID token that is kept: browsers drop a cookie beyond 4,096 bytes (RFC 6265 section 6.1)."""

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class SignedOut(ResponseModel):
    """Where the browser goes next."""

    end_session_url: str | None = Field(
        default=None,
        description="URL of the identity provider that ends its session, too; null if it offers none.",
        examples=["https://login.example.org/logout?client_id=audit-log-viewer"],
    )


def begin_sign_in(_request: Request, services: Services) -> Response:
    """Send the browser to the identity provider (OpenID Connect, authorization code with PKCE)."""
    attempt = Attempt.new()
    try:
        url = _sign_in(services).begin(attempt)
    except TokenCheckUnavailableError as exc:
        return sign_in_failed(exc)
    # Lax: the provider's redirect, which comes from another site, has to bring it back.
    text = f"{attempt.state}.{attempt.nonce}.{attempt.verifier}"
    cookie = set_cookie(services.settings, ATTEMPT, text, ATTEMPT_SECONDS, "Lax")
    return Response(303, headers={"Location": url, **_PAGE_HEADERS}, cookies=[cookie])


def finish_sign_in(request: Request, services: Services) -> Response:
    """Redeem the code that the identity provider sent the browser back with, and begin a session."""
    sign_in = _sign_in(services)
    no_attempt = set_cookie(services.settings, ATTEMPT, "", 0, "Lax")
    try:
        attempt = _attempt(read_cookie(request, services.settings, ATTEMPT))
        cookies = _begin_session(sign_in.finish(attempt, _single(request.query)), services)
    except (SignInRefusedError, InvalidTokenError, TokenCheckUnavailableError, StoreUnavailableError) as exc:
        return sign_in_failed(exc, no_attempt)  # the attempt is over, so that beginning again is the way on
    headers = {"Location": f"{services.settings.public_url}/", **_PAGE_HEADERS}
    return Response(303, headers=headers, cookies=[no_attempt, *cookies])


def session_token(request: Request, services: Services) -> Response:
    """Get a bearer token for the person of the session, with the scope events:read and the customers of the roles."""
    session = _session(request, services)
    seconds = session.expires_at - services.clock()
    token, lifetime = services.issuer.issue(
        session.subject,
        valid_minutes=max(1, min(TOKEN_MINUTES, int(seconds // 60), services.settings.token_max_minutes)),
        scopes=[READ],
        customers=session.customers,
    )
    return Response.of(200, Token(token=token, access_token=token, expires_in=lifetime, scope=READ))


def sign_out(request: Request, services: Services) -> Response:
    """End the session, or all sessions of the person. Tokens that were issued before expire within five minutes.

    The session at the identity provider continues until the browser is at `end_session_url`.
    """
    query = QueryString(request.query, (EVERYWHERE,))
    everywhere = query.one(EVERYWHERE) or False
    query.raise_errors()
    session = _session(request, services)
    now = datetime.fromtimestamp(services.clock(), UTC)
    record = audit_event("session.ended", session.subject, at=now, everywhere=everywhere)
    store = services.database.sessions
    if everywhere:
        store.end_all(session.subject, record)
    else:
        store.end(session.digest, record)
    url = _sign_in(services).end_session_url(read_cookie(request, services.settings, LOGOUT_HINT))
    cookies = [set_cookie(services.settings, name, "", 0, "Strict") for name in (SESSION, LOGOUT_HINT)]
    return Response.of(200, SignedOut(end_session_url=url))._replace(cookies=cookies)


sign_in_handler = lambda_handler(begin_sign_in)
callback_handler = lambda_handler(finish_sign_in)
token_handler = lambda_handler(session_token)
sign_out_handler = lambda_handler(sign_out)


def _sign_in(services: Services) -> SignIn:
    if services.sign_in is None:
        raise RouteNotFoundError("People do not sign in here: AUDIT_LOG_SIGN_IN_CLIENT_ID is not set.")
    return services.sign_in


def _begin_session(person: Person, services: Services) -> list[str]:
    """Store a new session of the person, and return its cookies. Raises StoreUnavailableError."""
    seconds = services.settings.session_minutes * 60
    now = services.clock()
    secret = secrets.token_urlsafe(32)
    session = Session(_digest(secret), person.subject, person.customers, int(now) + seconds)
    facts = {"customers": person.customers, "expires_at": session.expires_at}
    record = audit_event("session.began", person.subject, at=datetime.fromtimestamp(now, UTC), **facts)
    services.database.sessions.begin(session, record)
    id_token = person.id_token if len(person.id_token) <= MAX_ID_TOKEN else ""
    # Strict: only this service's page sends them, in requests that it makes after the redirect.
    return [
        set_cookie(services.settings, SESSION, secret, seconds, "Strict"),
        set_cookie(services.settings, LOGOUT_HINT, id_token, seconds if id_token else 0, "Strict"),
    ]


def _attempt(cookie: str | None) -> Attempt:
    parts = (cookie or "").split(".")
    if len(parts) != 3 or not all(map(_SECRET.fullmatch, parts)):  # noqa: PLR2004 - the fields of an attempt
        raise SignInRefusedError(Refusal.ATTEMPT)
    return Attempt(*parts)


def _single(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    parameters = dict(query)
    if len(parameters) != len(query):
        raise SignInRefusedError(Refusal.TWICE)
    return parameters


def _session(request: Request, services: Services) -> Session:
    """Return the session of the request's cookie.

    Raises:
        SignInRefusedError: another page sent the request.
        UnauthenticatedError: there is no session, or it has expired.
    """
    _sign_in(services)
    require_own_page(request, services.settings)
    secret = read_cookie(request, services.settings, SESSION)
    session = services.database.sessions.find(_digest(secret)) if secret and _SECRET.fullmatch(secret) else None
    if session is None or session.expires_at <= services.clock():
        raise UnauthenticatedError("There is no session: sign in.")
    return session


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
