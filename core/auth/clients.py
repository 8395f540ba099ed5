"""API clients: who may get a token, with which scopes and for which customers.

A secret is 256 random bits, so its SHA-256 digest cannot be turned back by guessing and is all that is kept. While a
secret is being replaced the one before it still counts.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from core.auth.last_answer import Clock, LastAnswer
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER, Client, Event, NewEvent
from core.errors import InvalidClientError
from core.ports.clients import ClientReader

STATUS_SECONDS: Final = 10.0
"""From one question to the store which clients are disabled to the next: so soon a disabled client's tokens end."""

STATUS_LIMIT_SECONDS: Final = 12 * 3600.0
"""How long the last answer counts while the store gives no other. After that no token of ours is accepted."""

_SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "als_"  # noqa: S105 - by which scanners find a secret that was committed somewhere
_TOUCH_AFTER: Final = timedelta(minutes=1)
_NO_DIGEST: Final = "0" * 64
_SERVICE_NAME: Final = "audit-log"


def create(name: str, scopes: Sequence[str], customers: Sequence[int] | None, *, at: datetime) -> tuple[Client, str]:
    """A new client and its secret, which is nowhere else.

    Raises:
        ValueError: a name, scope or customer that a client cannot have (as pydantic's ValidationError).
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
    """The client with a new secret, and the secret; the one before counts on until the next time, if it is kept."""
    secret = _new_secret()
    previous = client.secret_digest if keep_previous else None
    return client.model_copy(update={"secret_digest": _digest(secret), "previous_secret_digest": previous}), secret


def disable(client: Client, *, at: datetime) -> Client:
    """The client as one that gets no more tokens."""
    return client.model_copy(update={"disabled_at": client.disabled_at or at})


def audit_event(kind: str, subject: str, *, at: datetime, **data: object) -> Event:
    """The audit event of something that the service itself, or its operator, did: `audit-log.client.created`."""
    return Event.received(
        NewEvent.model_construct(
            event_type=RESERVED_PREFIX + kind, customer_id=SYSTEM_CUSTOMER, event_data={"subject": subject, **data}
        ),
        at=at,
        by=_SERVICE_NAME,
    )


class Authenticator:
    """Checks client ids and secrets."""

    def __init__(self, clients: ClientReader) -> None:
        self._clients = clients

    def authenticate(self, client_id: str, secret: str, *, now: float) -> Client:
        """The client that this secret belongs to.

        Raises:
            InvalidClientError: unknown, disabled, or the wrong secret; all three take the same steps and say the same.
            StoreUnavailableError: trying again later helps.
        """
        client = self._clients.client(client_id)
        digest = _digest(secret)
        kept = (client.secret_digest, client.previous_secret_digest) if client else (None, None)
        matches = [hmac.compare_digest(digest, candidate or _NO_DIGEST) for candidate in kept]
        if client is None or client.disabled_at is not None or not any(matches):
            raise InvalidClientError("Client id and secret are not those of an active client.")
        at = datetime.fromtimestamp(now, UTC)
        if client.last_used_at is None or at - client.last_used_at > _TOUCH_AFTER:
            self._clients.record_use(client_id, at)
        return client


def disabled_clients(clients: ClientReader, clock: Clock) -> LastAnswer[frozenset[str]]:
    """The ids of disabled clients, as the store said last.

    Before the first answer there are none. That one is disabled while the store cannot answer is the smaller harm:
    nobody can disable a client in a store that is down, and events have to be taken in meanwhile.
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
