"""Port of the feed: all stored events in the order in which they were stored."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from core.domain.clock import Clock
from core.domain.models import Event

if TYPE_CHECKING:  # only the query handlers load these models
    from core.domain.queries import EventFilter


class FeedRequest(NamedTuple):
    """Selects a page of the feed."""

    event_filter: "EventFilter"
    position: int | None = 0
    """Index of the first entry to deal with; None: that of the next event to be stored."""
    limit: int = 100
    max_bytes: int = 2_000_000
    """Most bytes of all events of the page as JSON. A single event may have more."""


class FeedPage(NamedTuple):
    """Entries of the ledger in the order of their indices, and the position to continue from."""

    entries: list[tuple[int, Event]]
    position: int
    more: bool
    """Whether entries of the customers in the filter follow, or may follow, that have not been dealt with."""
    skipped: int
    """Number of entries of these customers that were passed over because their events are no longer stored."""


class FeedReader(Protocol):
    """Reads the events of the ledger in the order of their indices."""

    def read(self, request: FeedRequest) -> FeedPage:
        """Return a page of the events that match the filter.

        The work has a bound for any number of events: a page may be empty although `more` follow.

        Raises:
            CursorAheadError: the position is beyond the end of the ledger.
            StoreUnavailableError: trying again later helps.
        """

    def size(self) -> int:
        """Return the number of entries of the ledger: the position behind the newest one.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def position_at(self, moment: datetime) -> int:
        """Return a position from which all events are read that were received at a time or later.

        It is that of the first event that was stored after that time, by the clocks of the processes that store.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def stored_at(self, position: int) -> datetime | None:
        """Return when the event at a position was stored; None at the end.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def cursor_key(self) -> bytes:
        """Return the 32 secret bytes that seal cursors. They never change.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


def behind_seconds(feed: FeedReader, position: int, clock: Clock) -> float:
    """Return for how many seconds the entry at a position has been stored; 0 at the end.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    stored_at = feed.stored_at(position)
    age = (datetime.fromtimestamp(clock(), UTC) - stored_at).total_seconds() if stored_at else 0.0
    return round(max(0.0, age), 3)
