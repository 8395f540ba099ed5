"""Streams: which events of the log are sent where, in which form, and how far each one has come."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StrictStr, field_validator

from core.domain import filter_text
from core.domain.filter_values import data_path, utf8_text
from core.domain.models import CustomerId
from core.domain.queries import EventFilter, Step
from core.domain.strict_json import MAX_INTEGER
from core.errors import InvalidFieldsError, as_sentence

MAX_STREAMS: Final = 500
MAX_LIMITED_STREAMS: Final = 50
"""How many of them a token that is limited to customers can create, so that others have room."""
MAX_FILTER_LENGTH: Final = 4_000
MAX_BATCH: Final = 1_000

Kind = Literal["http", "splunk", "otlp", "s3", "directory"]
Format = Literal["native", "cloudevents", "ocsf"]
State = Literal["active", "paused", "suspended"]
"""paused: a person stopped the stream. suspended: the service did, because its destination cannot be used."""


def _plain_name(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must not contain control characters, and must not begin or end with a space")
    return utf8_text(value)


def _parsable(value: str) -> str:
    parse_filter(value)
    return value


def _path(value: str) -> str:
    """Check a path. Written as in a filter it would lead nowhere, and the value that it should hide would be sent."""
    if value.startswith("event_data."):
        raise ValueError('begins inside event_data: leave event_data. out, or write "event_data". for a member of it')
    data_path(value)
    return value


DefinitionName = Annotated[StrictStr, Field(min_length=1, max_length=100), AfterValidator(_plain_name)]
FilterText = Annotated[StrictStr, Field(max_length=MAX_FILTER_LENGTH), AfterValidator(_parsable)]
MaskedPath = Annotated[StrictStr, AfterValidator(_path), Field(max_length=500, examples=["actor.email"])]


class StreamDefinition(BaseModel):
    """What a person decides about a stream. Secrets are kept apart from it, see `Stream.sealed`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: DefinitionName = Field(
        description="Name for people; two streams of the same customers cannot have the same.", examples=["splunk prod"]
    )
    destination: dict[str, Any] = Field(
        description="Kind of the destination and its settings, without secrets.",
        examples=[{"kind": "http", "url": "https://hooks.example.org/audit"}],
    )
    format: Format = Field(default="native", description="Form of each event.")
    filter: FilterText = Field(
        default="",
        description="Query string of GET /event that selects the events; empty: all.",
        examples=["event_type[prefix]=user.&event_data.outcome=failure"],
    )
    customers: tuple[CustomerId, ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="Customers that the stream is limited to; null: all."
    )
    drop: tuple[MaskedPath, ...] = Field(
        default=(), max_length=100, description="Paths in event_data that are left out."
    )
    hash: tuple[MaskedPath, ...] = Field(
        default=(),
        max_length=100,
        description="Paths in event_data whose values are replaced by a keyed hash, equal for equal values.",
    )
    batch: StrictInt = Field(default=100, ge=1, le=MAX_BATCH, description="Most events of one request.")

    @field_validator("destination")
    @classmethod
    def _has_kind(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("kind") not in get_args(Kind):
            raise ValueError("must have a kind: http, splunk, otlp, s3 or directory")
        return value

    @property
    def kind(self) -> str:
        """Kind of the destination."""
        return str(self.destination["kind"])

    @property
    def event_filter(self) -> EventFilter:
        """The filter, with the customers that the stream is limited to."""
        return parse_filter(self.filter).model_copy(update={"visible_customers": self.customers})

    @property
    def dropped_paths(self) -> tuple[tuple[Step, ...], ...]:
        """The paths of `drop`, as `matching.values_at` takes them."""
        return tuple(map(data_path, self.drop))

    @property
    def hashed_paths(self) -> tuple[tuple[Step, ...], ...]:
        """The paths of `hash`."""
        return tuple(map(data_path, self.hash))


class Stream(StreamDefinition):
    """A stream and its progress. `version` counts the changes of the definition and of the state by people."""

    stream_id: str
    sealed: str | None = Field(default=None, repr=False, description="Secrets, encrypted by `core.auth.sealing`.")
    state: State = "active"
    reason: str | None = Field(default=None, description="Why it is suspended, or why the last attempt failed.")
    position: int = Field(ge=0, le=MAX_INTEGER, description="Index of the first entry that is not dealt with.")
    delivered_at: datetime | None = Field(default=None, description="When events were last delivered.")
    failures: int = Field(default=0, description="Failed attempts for the same reason since the last delivery.")
    failing_since: datetime | None = None
    next_try_at: datetime | None = Field(default=None, description="Not before; null: at once.")
    last_status: int | None = Field(default=None, description="HTTP status of the last answer.")
    refused: int = Field(default=0, description="Number of refusals that are neither sent again nor forgotten.")
    version: int = 1
    created_at: datetime
    changed_at: datetime


class Refusal(BaseModel):
    """Events that a destination did not take, and that the stream has passed over. They are still in the log."""

    model_config = ConfigDict(frozen=True)

    stream_id: str
    position: int = Field(description="Index of the first event.")
    last: int = Field(description="Index of the last event; greater than `position` if a part of a batch was refused.")
    count: int = Field(default=1, description="Number of events refused between these, if the destination says so.")
    event_id: str = Field(description="Id of the first event.")
    status: int | None = None
    at: datetime


def parse_filter(text: str) -> EventFilter:
    """Parse a stored filter: the text of a query string. Raises ValueError with every problem."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise ValueError("must be a query string in UTF-8, such as event_type=user.login&customer_id=42") from None
    unknown = next((number for number, (name, _) in enumerate(pairs, 1) if not filter_text.is_filter(name)), None)
    if unknown:  # its name may be a secret in the wrong place
        raise ValueError(f"has in pair {unknown} a name that is no field: docs/reference/http.md lists the fields")
    try:
        return filter_text.parse(pairs)
    except InvalidFieldsError as exc:
        raise ValueError(f"is invalid: {as_sentence(exc.errors)}") from None
