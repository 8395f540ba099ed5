"""GET /session/sign-in and /session/callback, POST /session/token and /session/sign-out."""

import hashlib
import html
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from core.auth.sign_in import Attempt, SignIn
from core.auth.tokens import READ
from core.domain.audit_events import audit_event
from core.domain.filter_values import boolean
from core.errors import InvalidTokenError, SignInRefusedError, UnauthenticatedError
from core.ports.sessions import Session
from core.wiring import Services
from functions.http.errors import RouteNotFoundError
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter, QueryString
from functions.http.request import Request
from functions.http.response import Response
from functions.sign_in.cookies import ATTEMPT, ATTEMPT_SECONDS, SESSION, read_cookie, require_own_page, set_cookie
from functions.token import Token

TOKEN_MINUTES: Final = 5
"""Lifetime of a token: for that long a session that was ended elsewhere can still read."""

EVERYWHERE: Final = Parameter(
    "everywhere", boolean, {"type": "boolean", "default": False}, "Whether to end all sessions of the person."
)

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_PAGE: Final = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Sign-in failed</title>'
    '<h1>Sign-in failed</h1><p>{message}</p><p><a href="../">Back to the audit log</a></p></html>'
)


def begin_sign_in(_request: Request, services: Services) -> Response:
    """Send the browser to the identity provider (OpenID Connect, authorization code with PKCE)."""
    attempt = Attempt.new()
    url = _sign_in(services).begin(attempt)
    # Lax: the provider's redirect, which comes from another site, has to bring it back.
    text = f"{attempt.state}.{attempt.nonce}.{attempt.verifier}"
    cookie = set_cookie(services.settings, ATTEMPT, text, ATTEMPT_SECONDS, "Lax")
    return Response(303, headers={"Location": url, "Set-Cookie": cookie, **_PAGE_HEADERS})


def finish_sign_in(request: Request, services: Services) -> Response:
    """Redeem the code that the identity provider sent the browser back with, and begin a session."""
    sign_in = _sign_in(services)
    try:
        attempt = _attempt(read_cookie(request, services.settings, ATTEMPT))
        person = sign_in.finish(attempt, _single(request.query))
    except (SignInRefusedError, InvalidTokenError) as exc:
        page = _PAGE.format(message=html.escape(str(exc)))
        return Response(403, page.encode(), "text/html; charset=utf-8", _PAGE_HEADERS)
    minutes = services.settings.session_minutes
    now = services.clock()
    secret = secrets.token_urlsafe(32)
    session = Session(_digest(secret), person.subject, person.customers, int(now) + minutes * 60)
    facts = {"customers": person.customers, "expires_at": session.expires_at}
    record = audit_event("session.began", person.subject, at=datetime.fromtimestamp(now, UTC), **facts)
    services.database.sessions.begin(session, record)
    # Strict: only this service's page sends it, in the request that it makes after this redirect.
    cookie = set_cookie(services.settings, SESSION, secret, minutes * 60, "Strict")
    return Response(
        303, headers={"Location": f"{services.settings.public_url}/", "Set-Cookie": cookie, **_PAGE_HEADERS}
    )


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
    """End the session, or all sessions of the person. Tokens that were issued before expire within five minutes."""
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
    return Response(204, headers={"Set-Cookie": set_cookie(services.settings, SESSION, "", 0, "Strict")})


sign_in_handler = lambda_handler(begin_sign_in)
callback_handler = lambda_handler(finish_sign_in)
token_handler = lambda_handler(session_token)
sign_out_handler = lambda_handler(sign_out)


def _sign_in(services: Services) -> SignIn:
    if services.sign_in is None:
        raise RouteNotFoundError("People do not sign in here: AUDIT_LOG_SIGN_IN_CLIENT_ID is not set.")
    return services.sign_in


def _attempt(cookie: str | None) -> Attempt:
    parts = (cookie or "").split(".")
    if len(parts) != 3 or not all(map(_SECRET.fullmatch, parts)):  # noqa: PLR2004 - the fields of an attempt
        raise SignInRefusedError("This browser has not begun the sign-in, or more than ten minutes ago: begin again.")
    return Attempt(*parts)


def _single(query: Sequence[tuple[str, str]]) -> dict[str, str]:
    parameters = dict(query)
    if len(parameters) != len(query):
        raise SignInRefusedError("The answer has a parameter twice: begin again.")
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
