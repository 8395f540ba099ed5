"""What the handlers need from the outside, each port as small as its caller."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Protocol

from core.models import Client, Event
from core.queries import EventFilter, Matches, PageRequest


class EventPublisher(Protocol):
    """Where create-event puts what it accepted."""

    def publish(self, events: Sequence[Event]) -> None:
        """Take all of `events` or none; when this returns they are in the queue's keeping.

        Raises:
            QueueFullError: the queue is at its bound; trying again later helps.
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """


class Outcome(Enum):
    """What became of an event that was given to a store."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """Its id was there with the same content: a repeat, which is harmless."""
    CONFLICT = "conflict"
    """Its id was there with other content, which stays as it is."""


class EventWriter(Protocol):
    """Where consume-events puts a batch."""

    def add(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Store all of `events` in one transaction, durably; an id that is already there keeps its first content.

        The outcomes are in the order of `events`.

        Raises:
            StoreUnavailableError: nothing was stored; trying again later helps.
            EventNotStorableError: nothing was stored, because of at least one event; trying again never helps it.
        """


class EventReader(Protocol):
    """Where the query handlers look."""

    def find(self, event_filter: EventFilter, page: PageRequest) -> Matches:
        """The events of one page, ordered by time and then id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def get(self, event_id: str) -> Event | None:
        """The event with this id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class ClientReader(Protocol):
    """Where the token handlers look clients up."""

    def client(self, client_id: str) -> Client | None:
        """The client with this id, disabled or not.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def touch(self, client_id: str, at: datetime) -> None:
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

    def put_client(self, client: Client, act: Event) -> None:
        """Add the client, or replace the one with its id, and record `act`, both or neither.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
        """


class Check(Protocol):
    """One thing that must work for the service to be ready, asked by the readiness handler."""

    def __call__(self) -> dict[str, object]:
        """Facts worth showing (such as a depth) when all is well.

        Raises:
            AuditLogError: not ready; the message says why, in words that may be shown to anyone.
        """
