"""Ports of client registration: looking clients up and changing them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from core.domain.models import Client, Event


class ClientReader(Protocol):
    """Looks clients up for the token handlers, and lists revocations for the verification of tokens."""

    def client(self, client_id: str) -> Client | None:
        """Return the client with this id, also if it is disabled.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def revocations(self) -> Mapping[str, float]:
        """Return, by client id, the earliest `iat` of accepted tokens, for clients that had tokens revoked.

        It is infinite for disabled clients.

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
        """
