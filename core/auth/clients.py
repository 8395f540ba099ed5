"""API clients: creates and changes them, and authenticates them by their secrets.

A secret has 256 random bits, so that its SHA-256 digest, the only stored form, cannot be reversed by guessing. During a
rotation the previous secret remains valid.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from core.auth.last_answer import LastAnswer
from core.domain.clock import Clock
from core.domain.models import Client
from core.errors import InvalidClientError
from core.ports.clients import ClientReader

STATUS_SECONDS: Final = 10.0
"""Interval at which each process reads the disabled clients from the store, whose tokens are rejected from then on."""

STATUS_LIMIT_SECONDS: Final = 12 * 3600.0
"""How long the last known set of disabled clients is used during an outage of the store. Later, tokens are rejected."""

_SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "als_"  # noqa: S105 - lets scanners find committed secrets
_USE_INTERVAL: Final = timedelta(minutes=1)
_NO_DIGEST: Final = "0" * 64


def create(name: str, scopes: Sequence[str], customers: Sequence[int] | None, *, at: datetime) -> tuple[Client, str]:
    """Create a client; return it with its secret, which is not stored.

    Raises:
        ValidationError: pydantic's, for an invalid name, scope or customer.
    """
    secret = _new_secret()
    client = Client(
        client_id=f"client-{secrets.token_hex(8)}",
        name=name,
        scopes=tuple(sorted(set(scopes))),
        customers=None if customers is None else tuple(sorted(set(customers))),
        secret_digest=_digest(secret),
        created_at=at,
    )
    return client, secret


def rotate(client: Client, *, keep_previous: bool) -> tuple[Client, str]:
    """Give the client a new secret; return both. With `keep_previous` the old one is valid until the next rotation."""
    secret = _new_secret()
    previous = client.secret_digest if keep_previous else None
    return client.model_copy(update={"secret_digest": _digest(secret), "previous_secret_digest": previous}), secret


def disable(client: Client, *, at: datetime) -> Client:
    """Disable the client: it gets no more tokens, and its tokens are rejected. The first call sets the time."""
    return client.model_copy(update={"disabled_at": client.disabled_at or at})


class Authenticator:
    """Authenticates clients by id and secret."""

    def __init__(self, clients: ClientReader) -> None:
        self._clients = clients

    def authenticate(self, client_id: str, secret: str, *, now: float) -> Client:
        """Return the client with this id and secret.

        Raises:
            InvalidClientError: the client is unknown or disabled, or the secret is wrong. All three take the same steps
                and have the same message.
            StoreUnavailableError: trying again later helps.
        """
        client = self._clients.client(client_id)
        digest = _digest(secret)
        digests = (client.secret_digest, client.previous_secret_digest) if client else (None, None)
        matches = [hmac.compare_digest(digest, candidate or _NO_DIGEST) for candidate in digests]
        if client is None or client.disabled_at is not None or not any(matches):
            raise InvalidClientError("Client id or secret is wrong, or the client is disabled.")
        at = datetime.fromtimestamp(now, UTC)
        if client.last_used_at is None or at - client.last_used_at > _USE_INTERVAL:
            self._clients.record_use(client_id, at)
        return client


def disabled_clients(clients: ClientReader, clock: Clock) -> LastAnswer[frozenset[str]]:
    """Return the polled ids of disabled clients.

    Before the first answer no client counts as disabled. A client cannot be disabled in a store that is down, and
    accepting events meanwhile is more important.
    """
    return LastAnswer(
        clients.disabled,
        frozenset(),
        name="disabled clients",
        every=STATUS_SECONDS,
        limit=STATUS_LIMIT_SECONDS,
        clock=clock,
    )


def _new_secret() -> str:
    return _SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
