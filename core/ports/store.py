"""Ports of the event store: writing, reading and summarizing events."""

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from core.domain.models import Event

if TYPE_CHECKING:  # models that only those need who look events up
    from core.domain.queries import EventFilter, Matches, PageRequest
    from core.domain.summaries import Summary


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

    def find_page(self, event_filter: "EventFilter", page: "PageRequest") -> "Matches":
        """The events of one page, ordered by time and then id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def list_page(self, event_filter: "EventFilter", page: "PageRequest") -> list[Event]:
        """Return the events of one page as `find_page` does, without the total: for reading many pages.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def get(self, event_id: str) -> Event | None:
        """The event with this id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class EventSummaries(Protocol):
    """Where the viewer learns what there is to see."""

    def summarize(self, event_filter: "EventFilter") -> "Summary":
        """How many events match over time, and what they mostly are; the work is bounded however many there are.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
