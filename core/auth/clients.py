"""API clients: creates and changes them, and authenticates them by their secrets.

A secret has 256 random bits, so that its SHA-256 digest, the only stored form, cannot be reversed by guessing. During a
rotation the previous secret remains valid.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from core.auth.last_answer import LastAnswer
from core.domain.clock import Clock
from core.domain.models import Client
from core.errors import InvalidClientError
from core.ports.clients import ClientReader, RevocationReader

STATUS_SECONDS: Final = 10.0
"""Interval at which each process reads revocations from the store. Revoked tokens are rejected from then on."""

LIST_SECONDS: Final = 30.0
"""Interval at which each process reads a list of revocations outside of the store: AWS charges each call."""

STATUS_LIMIT_SECONDS: Final = 12 * 3600.0
"""How long the last known revocations are used during an outage of the store. Later, tokens are rejected."""

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


def rotate(client: Client, *, keep_previous: bool, at: datetime) -> tuple[Client, str]:
    """Give the client a new secret; return both.

    With `keep_previous` the old secret is valid until the next rotation. Otherwise it is revoked together with all
    tokens that were issued up to `at`, since anyone with the secret may have got some.
    """
    secret = _new_secret()
    update: dict[str, object] = {"secret_digest": _digest(secret), "previous_secret_digest": None}
    if keep_previous:
        update["previous_secret_digest"] = client.secret_digest
    else:
        # `iat` has whole seconds: tokens of the rest of this second get the next one, see `TokenIssuer.issue`.
        update["tokens_not_before"] = int(at.timestamp()) + 1
    return client.model_copy(update=update), secret


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


def polled_revocations(
    reader: RevocationReader, clock: Clock, every: float = STATUS_SECONDS
) -> LastAnswer[Mapping[str, float]]:
    """Return the polled result of `RevocationReader.revocations`.

    Before the first answer no token counts as revoked. Tokens cannot be revoked in a store that is down, and accepting
    events meanwhile is more important.
    """
    return LastAnswer(
        reader.revocations,
        {},
        name="revoked tokens",
        every=every,
        limit=STATUS_LIMIT_SECONDS,
        clock=clock,
    )


def _new_secret() -> str:
    return _SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
