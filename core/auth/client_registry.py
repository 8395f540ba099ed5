"""Registration of API clients: add, rotate, disable, list. Each change is stored together with its audit event."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from core.auth import clients
from core.auth.tokens import SCOPES
from core.domain.audit_events import audit_event
from core.domain.clock import Clock
from core.domain.field_errors import field_errors
from core.domain.models import Client
from core.errors import ClientNotFoundError, FieldError, InvalidFieldsError, as_sentence
from core.ports.clients import ClientAdmin


def new_client(name: str, scopes: Sequence[str], customers: Sequence[int] | None, now: float) -> tuple[Client, str]:
    """Make a client, limited to `customers` unless that is None, and its secret. It is valid once it is added.

    Raises:
        InvalidFieldsError: the name, a scope or a customer is not allowed.
    """
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise _invalid({"loc": ["scopes"], "msg": f"{', '.join(unknown)}: use {', '.join(SCOPES)}"})
    try:
        return clients.create(name, scopes, customers, at=datetime.fromtimestamp(now, UTC))
    except ValidationError as exc:
        raise _invalid(*field_errors(exc)) from None


class ClientRegistry:
    """Changes registered clients for an operator, who reaches it by the command line or by a Lambda function.

    Every method raises StoreUnavailableError if the store cannot be reached; then nothing was changed. A secret is
    returned once and only its digest is stored.
    """

    def __init__(self, store: ClientAdmin, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, client: Client) -> None:
        """Register a client that `new_client` made."""
        limits = None if client.customers is None else list(client.customers)
        self._save(
            client, "client.created", client.created_at, name=client.name, scopes=list(client.scopes), customers=limits
        )

    def rotate(self, client_id: str, *, keep_previous: bool) -> tuple[Client, str]:
        """Give a client a new secret; with `keep_previous` the old one stays valid until the next rotation.

        Otherwise the old secret and all tokens of the client are revoked.

        Raises:
            ClientNotFoundError: no client has this id.
        """
        at = self._now()
        client, secret = clients.rotate(self.get(client_id), keep_previous=keep_previous, at=at)
        self._save(client, "client.rotated", at, old_secret_counts=keep_previous)
        return client, secret

    def disable(self, client_id: str) -> Client:
        """Refuse further tokens to a client; a client that is disabled already keeps the time of that.

        Raises:
            ClientNotFoundError: no client has this id.
        """
        at = self._now()
        client = clients.disable(self.get(client_id), at=at)
        self._save(client, "client.disabled", at)
        return client

    def clients(self) -> list[Client]:
        """Return all clients, oldest first."""
        return self._store.clients()

    def get(self, client_id: str) -> Client:
        """Return one client.

        Raises:
            ClientNotFoundError: no client has this id.
        """
        client = self._store.client(client_id)
        if client is None:
            raise ClientNotFoundError(f"There is no client {client_id!r}.")
        return client

    def _save(self, client: Client, kind: str, at: datetime, **facts: object) -> None:
        self._store.save_client(client, audit_event(kind, client.client_id, at=at, **facts))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _invalid(*errors: FieldError) -> InvalidFieldsError:
    return InvalidFieldsError(f"The client cannot be registered: {as_sentence(errors)}", errors)
