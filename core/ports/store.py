"""Ports of the event store: writing, reading and summarizing events."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from core.domain.models import Event

if TYPE_CHECKING:  # only the query handlers load these models
    from core.domain.erasures import Erased
    from core.domain.queries import EventFilter, Listing, Matches, PageRequest, Step
    from core.domain.summaries import Summary


class Outcome(Enum):
    """Result of adding one event to a store."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """The store has an event with the same id and content: a harmless repeat."""
    CONFLICT = "conflict"
    """The store has an event with the same id and other content, which remains unchanged."""


class EventWriter(Protocol):
    """Stores batches for the consume handler."""

    def add(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Store all of `events` durably in one transaction. An event whose id exists is not written.

        The outcomes are in the order of `events`.

        Raises:
            StoreUnavailableError: nothing was stored, or by a store without transactions a part; trying again later
                stores the rest, and counts each event once.
            EventNotStorableError: nothing was stored because the store rejects at least one event; trying again never
                helps that event.
        """


class EventReader(Protocol):
    """Looks events up for the query handlers."""

    def find_page(self, event_filter: "EventFilter", page: "PageRequest") -> "Matches":
        """Return one page of events, ordered by time and then id, and the total.

        Conditions that no index answers are searched for, within bounds: see `Listing.stopped_at`.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def list_page(self, event_filter: "EventFilter", page: "PageRequest") -> "Listing":
        """Return the events of `find_page` without the total, for reading many pages.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def newest_receive_time(self) -> datetime | None:
        """Return the latest receive time of all events; None if there are no events.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def get(self, event_id: str) -> Event | None:
        """Return the event with this id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def erased(self, event_ids: "Sequence[str]") -> "dict[str, Erased]":
        """Return the erasures of those of the events with these ids that were erased, by id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class EventSummaries(Protocol):
    """Counts events for the log viewer."""

    def summarize(self, event_filter: "EventFilter", by: "Sequence[Step]" = ()) -> "Summary":
        """Count matching events over time, by type and by customer. The work has a bound for any number of events.

        If `by` is a path into `event_data`, the values there are counted as well.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class EventStore(EventWriter, EventReader, Protocol):
    """Writes and reads the events of one database."""

    def check(self) -> dict[str, object]:
        """Implement `Check`: the database answers.

        Raises:
            StoreUnavailableError: it does not.
        """
