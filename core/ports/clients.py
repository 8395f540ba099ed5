"""Ports of client registration: looking clients up, changing them, and listing revoked tokens."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from core.domain.models import Client, Event


class RevocationReader(Protocol):
    """Lists revocations for the verification of tokens."""

    def revocations(self) -> Mapping[str, float]:
        """Return, by client id, the earliest `iat` of accepted tokens, for clients that had tokens revoked.

        It is infinite for disabled clients.

        Raises:
            StoreUnavailableError, SecretUnavailableError: trying again later helps.
        """


class RevocationList(RevocationReader, Protocol):
    """List of revocations outside of the database, for processes that verify tokens and use no database otherwise."""

    def publish(self, revoked: Sequence[Client]) -> None:
        """Replace the list by these clients, each disabled or with revoked tokens.

        Raises:
            SecretUnavailableError: nothing was changed; trying again later helps.
        """


class ClientReader(RevocationReader, Protocol):
    """Looks clients up for the token handlers."""

    def client(self, client_id: str) -> Client | None:
        """Return the client with this id, also if it is disabled.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def record_use(self, client_id: str, at: datetime) -> None:
        """Record that the client got a token at this time.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class ClientAdmin(Protocol):
    """Store that an operator changes clients in. Each change is stored together with its audit event."""

    def client(self, client_id: str) -> Client | None:
        """The client with this id, disabled or not.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def clients(self) -> list[Client]:
        """Return all clients, oldest first.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def save_client(self, client: Client, record: Event) -> None:
        """Add the client or replace the one with its id, and store the event `record`: both or neither.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
            SecretUnavailableError: the list of revocations cannot be written. Nothing was changed.
        """

    def publish_revocations(self) -> None:
        """Write the list of revocations again, as for a store that had none before; nothing without such a list.

        Raises:
            StoreUnavailableError, SecretUnavailableError: trying again later helps.
        """


class ClientStore(ClientReader, ClientAdmin, Protocol):
    """Looks up and changes the clients of one database."""
