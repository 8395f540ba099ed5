"""Queries for events: filters, positions, page requests and pages."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from core.domain.models import Event, EventId, Timestamp
from core.domain.strict_json import MAX_INTEGER

Order = Literal["desc", "asc"]
JsonScalar = str | int | float | bool | None


class DataFilter(BaseModel):
    """Condition on `event_data`: the value at `path` equals any of `values`.

    In `path`, a string is a member name and an integer an array index.
    """

    model_config = ConfigDict(frozen=True)

    path: tuple[str | int, ...] = Field(min_length=1)
    values: tuple[JsonScalar, ...] = Field(min_length=1)


class EventFilter(BaseModel):
    """Selects events that fulfil all conditions. A condition accepts any of its values; an empty one accepts all."""

    model_config = ConfigDict(frozen=True)

    event_types: tuple[str, ...] = ()
    customer_ids: tuple[int, ...] = ()
    start: int | None = Field(default=None, description="First Unix second, included.")
    end: int | None = Field(default=None, description="Last Unix second, included.")
    data: tuple[DataFilter, ...] = ()
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
    """Position in a listing: directly after the event with this time and id. `offset` events precede it."""

    model_config = ConfigDict(frozen=True)

    timestamp_utc: Timestamp
    event_id: EventId
    offset: Annotated[StrictInt, Field(ge=0, le=MAX_INTEGER)]

    @classmethod
    def after(cls, event: Event, offset: int) -> "Position":
        """Return the position after `event`, to which `offset` events lead."""
        # Only a forged cursor leads beyond 64 bits.
        return cls(timestamp_utc=event.timestamp_utc, event_id=event.event_id, offset=min(offset, MAX_INTEGER))


class PageRequest(BaseModel):
    """Selects `limit` of the matching events, after `offset` events or after the position `after`."""

    model_config = ConfigDict(frozen=True)

    limit: int = 100
    offset: int = 0
    order: Order = "desc"
    after: Position | None = None


TotalRelation = Literal["eq", "gte"]


class Matches(BaseModel):
    """Result of a query: the events of a page, whether more follow, and the total number of matches.

    `total_count` is exact if `total_relation` is `eq`; with `gte` at least that many match.
    """

    model_config = ConfigDict(frozen=True)

    events: list[Event]
    more: bool
    total_count: int
    total_relation: TotalRelation


class Page(BaseModel):
    """One page of events."""

    model_config = ConfigDict(frozen=True)

    events: list[Event]
    count: int = Field(description="Number of events on this page.", examples=[1])
    offset: int = Field(description="Number of events before this page.", examples=[0])
    limit: int = Field(examples=[100])
    total_count: int = Field(description="Total number of matching events, counted up to 10,000.", examples=[1])
    total_relation: TotalRelation = Field(description="eq: total_count is exact; gte: at least that many match.")
    next_cursor: str | None = Field(
        description="Send as `cursor` for the next page; null on the last page.", examples=[None]
    )
