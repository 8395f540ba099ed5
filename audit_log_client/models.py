"""Requests and responses: filters, events, pages and receipts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NotRequired, TypedDict

MAX_BATCH_EVENTS: Final = 1000
MAX_EVENT_BYTES: Final = 256 * 1024
"""Limits of the service for a batch and for an event's JSON."""


class StoredEvent(TypedDict):
    """A stored event. `timestamp_utc` is in Unix seconds, `received_at` in RFC 3339 and UTC."""

    event_id: str
    event_type: str
    customer_id: int
    timestamp_utc: int
    event_data: dict[str, Any]
    received_at: str
    recorded_by: str
    index: NotRequired[int]
    """Index in the ledger. Only the feed has it, and only for credentials that see all customers."""


class FeedPage(TypedDict):
    """Events in the order in which they were stored, and the cursor to continue with.

    While `more` is true further events may follow at once, also after a page without events. `skipped` counts events
    that are no longer stored.
    """

    events: list[StoredEvent]
    count: int
    next_cursor: str
    more: bool
    skipped: int


class Page(TypedDict):
    """One page of events. `total_count` is exact if `total_relation` is `eq`, and a lower bound if it is `gte`.

    A page can be empty although `next_cursor` leads to others: `searched_to` is the second that a search reached.
    """

    events: list[StoredEvent]
    count: int
    offset: int
    limit: int
    total_count: int
    total_relation: str
    next_cursor: str | None
    searched_to: int | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Selects the events that meet all conditions. A condition with several values is met by any of them.

    `start` and `end` are in Unix seconds and inclusive. `data` has pairs of a path in event_data and a value, such as
    `admin_data.username` and `admin`. The values true, false, null and numbers match JSON values of these types; quotes
    force a string. An operator may follow a path: `size[gte]` and `5`. `fields` has pairs of a parameter of
    `GET /event` and a value, such as `event_type[prefix]` and `user.`, or `q` and words.
    """

    event_types: tuple[str, ...] = ()
    customer_ids: tuple[int, ...] = ()
    start: int | None = None
    end: int | None = None
    data: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Iterate over the fields of the query string."""
        yield from (("event_type", value) for value in self.event_types)
        yield from (("customer_id", str(value)) for value in self.customer_ids)
        if self.start is not None:
            yield "timestamp_start_utc", str(self.start)
        if self.end is not None:
            yield "timestamp_end_utc", str(self.end)
        yield from ((f"event_data.{path}", value) for path, value in self.data)
        yield from self.fields


@dataclass(frozen=True, slots=True)
class Receipt:
    """Result of a batch by index in it, from 0: ids of accepted events, and reasons for the rejected ones."""

    accepted: Mapping[int, str] = field(default_factory=dict)
    rejected: Mapping[int, str] = field(default_factory=dict)
