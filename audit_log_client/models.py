"""What is sent and answered."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

MAX_BATCH_EVENTS: Final = 1000
MAX_EVENT_BYTES: Final = 256 * 1024
"""Limits of the service."""


class StoredEvent(TypedDict):
    """An event as the service keeps it. `received_at` is RFC 3339 in UTC, `timestamp_utc` Unix seconds."""

    event_id: str
    event_type: str
    customer_id: int
    timestamp_utc: int
    event_data: dict[str, Any]
    received_at: str
    recorded_by: str


class Page(TypedDict):
    """One page of events. `total_count` is exact if `total_relation` is `eq`, else at least that many match."""

    events: list[StoredEvent]
    count: int
    offset: int
    limit: int
    total_count: int
    total_relation: str
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events are meant: all conditions hold, within one any of its values. Times are Unix seconds, inclusive.

    `data` has paths into event_data and their values as the query string has them: `admin_data.username` and `admin`;
    true, false, null and numbers match their JSON values, quotes force a string.
    """

    event_types: tuple[str, ...] = ()
    customer_ids: tuple[int, ...] = ()
    start: int | None = None
    end: int | None = None
    data: tuple[tuple[str, str], ...] = ()

    def pairs(self) -> Iterator[tuple[str, str]]:
        """The fields of the query string."""
        yield from (("event_type", value) for value in self.event_types)
        yield from (("customer_id", str(value)) for value in self.customer_ids)
        if self.start is not None:
            yield "timestamp_start_utc", str(self.start)
        if self.end is not None:
            yield "timestamp_end_utc", str(self.end)
        yield from ((f"event_data.{path}", value) for path, value in self.data)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch, by place in it, from 0: the ids of what was accepted, and why the rest was not."""

    accepted: Mapping[int, str] = field(default_factory=dict)
    rejected: Mapping[int, str] = field(default_factory=dict)
