"""Ports of client registration: how clients are looked up and changed."""

from datetime import datetime
from typing import Protocol

from core.domain.models import Client, Event


class ClientReader(Protocol):
    """Where the token handlers look clients up, and what verifies tokens learns which are disabled."""

    def client(self, client_id: str) -> Client | None:
        """The client with this id, disabled or not.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def disabled(self) -> frozenset[str]:
        """The ids of all disabled clients.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def record_use(self, client_id: str, at: datetime) -> None:
        """Remember that the client got a token at this time.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class ClientAdmin(Protocol):
    """Where the command line keeps clients. Each change is stored together with the event that tells of it."""

    def clients(self) -> list[Client]:
        """All clients, oldest first.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def save_client(self, client: Client, record: Event) -> None:
        """Add the client, or replace the one with its id, and record `record`, both or neither.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
        """
