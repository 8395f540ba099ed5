"""Queries for events: filters, positions, page requests and pages."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from core.domain.erasures import ErasedEvent
from core.domain.models import Event, EventId, Timestamp
from core.domain.strict_json import MAX_INTEGER

Order = Literal["desc", "asc"]
JsonScalar = str | int | float | bool | None
Step = str | int | None
"""Step of a path into JSON: the name of a member, the index of an element, or None for any element of an array."""

FieldName = Literal["event_type", "customer_id", "recorded_by", "timestamp_utc", "received_at", "event_data"]
Operator = Literal["eq", "not", "gt", "gte", "lt", "lte", "prefix", "exists"]


class DataFilter(BaseModel):
    """Condition on `event_data`: a value at `path` equals any of `values`, in value and type."""

    model_config = ConfigDict(frozen=True)

    path: tuple[Step, ...] = Field(min_length=1)
    values: tuple[JsonScalar, ...] = Field(min_length=1)


class Condition(BaseModel):
    """Condition that no index answers: `core.domain.matching` defines which events fulfil it.

    `path` leads into `event_data` and is empty for other fields. `values` are in the unit of the field: datetimes for
    `received_at`, Unix seconds for `timestamp_utc`; one boolean for `exists`.
    """

    model_config = ConfigDict(frozen=True)

    field: FieldName
    operator: Operator
    values: tuple[JsonScalar | AwareDatetime, ...] = Field(min_length=1)
    path: tuple[Step, ...] = ()


class EventFilter(BaseModel):
    """Selects events that fulfil all conditions. A condition accepts any of its values; an empty one accepts all.

    `core.domain.matching.matches` defines the meaning, and `core.domain.filter_text.parse` reads a filter from text.
    """

    model_config = ConfigDict(frozen=True)

    event_types: tuple[str, ...] = ()
    customer_ids: tuple[int, ...] = ()
    start: int | None = Field(default=None, description="First Unix second, included.")
    end: int | None = Field(default=None, description="Last Unix second, included.")
    data: tuple[DataFilter, ...] = ()
    conditions: tuple[Condition, ...] = ()
    words: tuple[str, ...] = Field(default=(), description="Each occurs in the event; folded by `matching.fold`.")
    received_until: AwareDatetime | None = Field(default=None, description="Latest receive time, included.")
    visible_customers: tuple[int, ...] | None = Field(
        default=None, description="Customers that the reader may see; None: all."
    )

    @property
    def customers(self) -> tuple[int, ...] | None:
        """Customers that are both requested and visible; None: all."""
        if not self.customer_ids:
            return self.visible_customers
        if self.visible_customers is None:
            return self.customer_ids
        return tuple(sorted(set(self.customer_ids).intersection(self.visible_customers)))


class Position(BaseModel):
    """Position in a listing: directly after the event with this time and id. `offset` matching events precede it.

    `skip` is the number of further matches to leave out, if a search ended before it had passed its whole offset.
    """

    model_config = ConfigDict(frozen=True)

    timestamp_utc: Timestamp
    event_id: EventId
    offset: Annotated[StrictInt, Field(ge=0, le=MAX_INTEGER)]
    skip: Annotated[StrictInt, Field(ge=0, le=MAX_INTEGER)] = 0

    @classmethod
    def after(cls, event: Event, offset: int, skip: int = 0) -> "Position":
        """Return the position after `event`, to which `offset` events lead."""
        # Only a forged cursor leads beyond 64 bits.
        return cls(
            timestamp_utc=event.timestamp_utc, event_id=event.event_id, offset=min(offset, MAX_INTEGER), skip=skip
        )


class PageRequest(BaseModel):
    """Selects `limit` of the matching events, after `offset` events or after the position `after`."""

    model_config = ConfigDict(frozen=True)

    limit: int = 100
    offset: int = 0
    order: Order = "desc"
    after: Position | None = None


TotalRelation = Literal["eq", "gte"]


class Listing(BaseModel):
    """Events of a page. If `stopped_at` is set, the search reached its bound there, and matches may follow it."""

    model_config = ConfigDict(frozen=True)

    events: list[Event]
    stopped_at: Position | None = None


class Matches(Listing):
    """Result of a query: the events of a page, whether more may follow, and the total number of matches.

    `total_count` is exact if `total_relation` is `eq`; with `gte` at least that many match.
    """

    more: bool
    total_count: int
    total_relation: TotalRelation


class Page(BaseModel):
    """One page of events."""

    model_config = ConfigDict(frozen=True)

    events: list[ErasedEvent | Event]
    count: int = Field(description="Number of events on this page.", examples=[1])
    offset: int = Field(description="Number of events before this page.", examples=[0])
    limit: int = Field(examples=[100])
    total_count: int = Field(description="Total number of matching events, counted up to 10,000.", examples=[1])
    total_relation: TotalRelation = Field(description="eq: total_count is exact; gte: at least that many match.")
    next_cursor: str | None = Field(
        description="Send as `cursor` for the next page; null on the last page. The only sign that a page is the last: "
        "a page that a search has not filled may be followed by others.",
        examples=[None],
    )
    searched_to: int | None = Field(
        description="Unix second of the last event that was examined, if the search ended before the page was full: "
        "continue with `next_cursor`. Otherwise null.",
        examples=[None],
    )
