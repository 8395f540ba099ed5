"""Summaries of many events, and the division of a time range into buckets."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from core.domain.queries import EventFilter, JsonScalar, TotalRelation

MAX_BUCKETS: Final = 60

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY
_WIDTHS: Final = (
    1, 5, 10, 30,
    _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE,
    _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
    _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 90 * _DAY,
    *(years * _YEAR for years in (1, 2, 5, 10, 20, 50, 100, 200)),
)  # fmt: skip


class Bucket(BaseModel):
    """Number of events in a time span of `bucket_seconds` that begins at `start`."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(description="Unix seconds, UTC; a multiple of bucket_seconds.")
    count: int


class TypeCount(BaseModel):
    """Number of events of one type."""

    model_config = ConfigDict(frozen=True)

    event_type: str = Field(examples=["user.login"])
    count: int = Field(examples=[1])


class CustomerCount(BaseModel):
    """Number of events of one customer."""

    model_config = ConfigDict(frozen=True)

    customer_id: int = Field(examples=[42])
    count: int = Field(examples=[1])


class ValueCount(BaseModel):
    """Number of events that have one value at a path of `event_data`."""

    model_config = ConfigDict(frozen=True)

    value: JsonScalar = Field(examples=["admin"])
    count: int = Field(examples=[1])


class Frequencies(BaseModel):
    """Most frequent types, customers and values among the newest matching events."""

    model_config = ConfigDict(frozen=True)

    event_types: list[TypeCount]
    customers: list[CustomerCount]
    values: list[ValueCount] | None = Field(
        default=None,
        description="Most frequent values at the path `by`, without arrays, objects and texts of more than 255 "
        "characters; null without `by`.",
    )
    sample: int = Field(description="Number of events examined, the newest first.")
    sample_relation: TotalRelation = Field(description="eq: all events were examined; gte: older events were not.")


class Summary(BaseModel):
    """Summary of the matching events, computed from a limited number of the newest.

    Buckets are contiguous, oldest first. Buckets before `counted_from` are 0 because events that old were not examined,
    and the bucket that contains it may be too low.
    """

    model_config = ConfigDict(frozen=True)

    start: int | None = Field(
        description="First Unix second of the range; null if there are no events to derive it from."
    )
    end: int | None = Field(description="Last Unix second of the range; null if there are no events to derive it from.")
    bucket_seconds: int
    buckets: list[Bucket]
    total_count: int = Field(description="Sum of the buckets.")
    total_relation: TotalRelation = Field(
        description="eq: all events were counted; gte: events before counted_from were not."
    )
    counted_from: int | None = Field(description="All events from this Unix second on were counted.")
    frequent: Frequencies


def empty_summary(wanted: EventFilter, *, with_values: bool) -> Summary:
    """Return the summary of no events; `with_values` if values at a path were to be counted."""
    return Summary(
        start=wanted.start,
        end=wanted.end,
        bucket_seconds=1,
        buckets=[],
        total_count=0,
        total_relation="eq",
        counted_from=wanted.start,
        frequent=Frequencies(
            event_types=[], customers=[], values=[] if with_values else None, sample=0, sample_relation="eq"
        ),
    )


def summary_of(span: tuple[int, int], counts: Counter[int], since: int | None, frequent: Frequencies) -> Summary:
    """Return the summary of a range from its first to its last second.

    `counts` are by the start of their bucket; `since` is the second from which on all were counted, None: all of them.
    """
    start, end = span
    width = bucket_seconds(start, end)
    return Summary(
        start=start,
        end=end,
        bucket_seconds=width,
        buckets=[Bucket(start=at, count=counts[at]) for at in bucket_starts(start, end, width)],
        total_count=counts.total(),
        total_relation="eq" if since is None else "gte",
        counted_from=start if since is None else since,
        frequent=frequent,
    )


def bucket_seconds(start: int, end: int) -> int:
    """Return the smallest round bucket width with which `MAX_BUCKETS` aligned buckets cover `start` to `end`."""
    return next(width for width in _WIDTHS if end // width - start // width < MAX_BUCKETS)


def bucket_starts(start: int, end: int, width: int) -> Sequence[int]:
    """Return the start of each bucket that covers the seconds from `start` to `end`, both included."""
    return range(start - start % width, end + 1, width)
