"""What a summary of many events says, and into which spans of time it divides them."""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from core.domain.queries import TotalRelation

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
    """How many events one span of time has. It begins at `start` and is `bucket_seconds` long."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(description="Unix seconds, UTC; a multiple of bucket_seconds.")
    count: int


class TypeCount(BaseModel):
    """How often an event type comes."""

    model_config = ConfigDict(frozen=True)

    event_type: str
    count: int


class CustomerCount(BaseModel):
    """How often a customer comes."""

    model_config = ConfigDict(frozen=True)

    customer_id: int
    count: int


class Frequencies(BaseModel):
    """The most frequent types and customers among the newest events that match."""

    model_config = ConfigDict(frozen=True)

    event_types: list[TypeCount]
    customers: list[CustomerCount]
    sample: int = Field(description="Events that were looked at, the newest.")
    sample_relation: TotalRelation = Field(description="eq: there are no others; gte: older ones were not looked at.")


class Summary(BaseModel):
    """What the matching events are like, from a bounded number of them: the newest.

    Buckets follow one another without a gap, the oldest first. Those before `counted_from` say 0 because nothing so old
    was looked at, and the one that holds it may say too little.
    """

    model_config = ConfigDict(frozen=True)

    start: int | None = Field(description="First Unix second of the range; null when there is no event to tell it by.")
    end: int | None = Field(description="Last Unix second of the range; null when there is no event to tell it by.")
    bucket_seconds: int
    buckets: list[Bucket]
    total_count: int = Field(description="The sum of the buckets.")
    total_relation: TotalRelation = Field(description="eq: all were counted; gte: those before counted_from were not.")
    counted_from: int | None = Field(description="Every event from this Unix second on was counted.")
    frequent: Frequencies


def bucket_seconds(start: int, end: int) -> int:
    """The least round width of buckets, aligned to its multiples, of which `MAX_BUCKETS` hold `start` and `end`."""
    return next(width for width in _WIDTHS if end // width - start // width < MAX_BUCKETS)


def bucket_starts(start: int, end: int, width: int) -> Sequence[int]:
    """Where the buckets begin that hold the seconds from `start` to `end`, both included."""
    return range(start - start % width, end + 1, width)
