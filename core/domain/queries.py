"""How events are asked for: a filter over them, a place in their order, a page of them."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from core.domain.models import Event, EventId, Timestamp
from core.domain.strict_json import MAX_INTEGER

Order = Literal["desc", "asc"]
JsonScalar = str | int | float | bool | None


class DataFilter(BaseModel):
    """Equality at one path of `event_data`: a member name is a string, an array index an integer; any of `values`."""

    model_config = ConfigDict(frozen=True)

    path: tuple[str | int, ...] = Field(min_length=1)
    values: tuple[JsonScalar, ...] = Field(min_length=1)


class EventFilter(BaseModel):
    """Which events are meant: all conditions hold; within one condition any of its values; an empty one is no limit."""

    model_config = ConfigDict(frozen=True)

    event_types: tuple[str, ...] = ()
    customer_ids: tuple[int, ...] = ()
    start: int | None = Field(default=None, description="First Unix second that counts.")
    end: int | None = Field(default=None, description="Last Unix second that counts.")
    data: tuple[DataFilter, ...] = ()
    received_until: AwareDatetime | None = Field(default=None, description="The last moment of reception that counts.")
    visible_customers: tuple[int, ...] | None = Field(
        default=None, description="The only customers the reader may see; None: all."
    )

    @property
    def customers(self) -> tuple[int, ...] | None:
        """The customers that are both asked for and visible; None: all."""
        if not self.customer_ids:
            return self.visible_customers
        if self.visible_customers is None:
            return self.customer_ids
        return tuple(sorted(set(self.customer_ids).intersection(self.visible_customers)))


class Position(BaseModel):
    """A place in the order of events: just after the event with this time and id, `offset` events from the start."""

    model_config = ConfigDict(frozen=True)

    timestamp_utc: Timestamp
    event_id: EventId
    offset: Annotated[StrictInt, Field(ge=0, le=MAX_INTEGER)]


class PageRequest(BaseModel):
    """Which part of the matching events: `limit` of them after `offset` events, or after a `position`."""

    model_config = ConfigDict(frozen=True)

    limit: int = 100
    offset: int = 0
    order: Order = "desc"
    after: Position | None = None


TotalRelation = Literal["eq", "gte"]


class Matches(BaseModel):
    """What a store found: the events asked for, whether more follow, and how many match in all.

    `total_count` is exact when `total_relation` is `eq`; with `gte` at least that many match.
    """

    model_config = ConfigDict(frozen=True)

    events: list[Event]
    more: bool
    total_count: int
    total_relation: TotalRelation


class Page(BaseModel):
    """One page of events, as it is answered."""

    model_config = ConfigDict(frozen=True)

    events: list[Event]
    count: int = Field(description="Events on this page.")
    offset: int = Field(description="Events before this page.")
    limit: int
    total_count: int = Field(description="Events that match in all, counted up to 10,000.")
    total_relation: TotalRelation = Field(description="eq: total_count is exact; gte: at least that many match.")
    next_cursor: str | None = Field(description="Send as `cursor` for the next page; null on the last.")
