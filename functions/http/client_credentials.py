"""Client authentication by id and secret (RFC 6749 section 2.3.1)."""

import base64
import binascii
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_plus

from core.domain.audit_events import audit_event
from core.domain.models import Client
from core.errors import InvalidClientError, QueueFullError, QueueUnavailableError, RateLimitedError
from core.ports.telemetry import CounterName
from core.wiring import Services
from functions.http.request import Request, authenticated_client

_POSSIBLE_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
_REQUIRED: Final = "This requires a client id and secret: send them by HTTP Basic authentication."


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Return client id and secret from HTTP Basic authentication (RFC 7617); None without an Authorization header.

    Raises:
        InvalidClientError: the header has another scheme or is malformed.
        MalformedRequestError: several Authorization headers.
    """
    authorization = request.header("authorization")
    if authorization is None:
        return None
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClientError(_REQUIRED)
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidClientError(_REQUIRED) from None
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def authenticate_client(credentials: tuple[str, str] | None, request: Request, services: Services) -> Client:
    """Return the client with these credentials.

    Raises:
        InvalidClientError: no credentials, or not those of an active client.
        RateLimitedError: this client, or this address, has failed too often.
        StoreUnavailableError: the clients cannot be looked up; try again later.
    """
    try:
        client = _authenticated(credentials, request, services)
    except (InvalidClientError, RateLimitedError):
        services.meter.count(CounterName.TOKEN_DENIED, 1)
        raise
    authenticated_client.set(client.client_id)
    return client


def _authenticated(credentials: tuple[str, str] | None, request: Request, services: Services) -> Client:
    if credentials is None:
        raise InvalidClientError(_REQUIRED)
    client_id, secret = credentials
    if not _POSSIBLE_ID.fullmatch(client_id):
        client_id = ""  # counts as the failure of an unknown client, and reaches neither logs nor stores
    now = services.clock()
    try:
        return services.authenticator.authenticate(client_id, secret, now=now)
    except InvalidClientError:
        # After the comparison: otherwise a few failures would lock out a client, or all clients behind a proxy.
        services.limiter.refuse_login_after_failures(client_id, request.source_ip)
        if services.limiter.count_failed_login(client_id, request.source_ip):
            _record_failed_logins(client_id, request.source_ip, services, datetime.fromtimestamp(now, UTC))
        raise


def _record_failed_logins(client_id: str, address: str, services: Services, at: datetime) -> None:
    """Record too many failed logins as an event. Ignores a full queue, which must not turn a 401 into a 503."""
    with suppress(QueueFullError, QueueUnavailableError):
        services.acceptance.publish([audit_event("login.failing", client_id or "unknown", at=at, address=address)])
