"""Events as posted and as stored, and clients."""

import math
import re
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import orjson
import uuid_utils
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from core.domain.origin import ORIGIN, first_recorder, without_origin
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.domain.trusted_fields import build_model

MAX_TIMESTAMP: Final = 253_402_300_799
"""9999-12-31T23:59:59Z in Unix seconds, the last second that all stores and languages can represent."""

TIMESTAMP_RULE: Final = f"must be Unix seconds, an integer from 0 to {MAX_TIMESTAMP}, such as 1767225600"
"""Message for a timestamp that is not an integer, such as a date."""

RESERVED_PREFIX: Final = "audit-log."
"""Prefix of the event types that record the service's own operations. Clients cannot post them."""

SYSTEM_CUSTOMER: Final = -1
"""Customer id of the service's own events."""

_EXAMPLE: Final[dict[str, Any]] = {
    "event_type": "user.login",
    "customer_id": 42,
    "event_data": {"actor": {"id": "admin"}, "outcome": "success", "context": {"ip": "192.0.2.7"}},
}
_SECONDS_SCHEMA: Final[dict[str, Any]] = {
    "type": "integer",
    "minimum": 0,
    "maximum": MAX_TIMESTAMP,
    "examples": [1_767_225_600],
    "description": "Unix seconds, UTC; a JSON integer, not 1767225600.0.",
}
_UUID_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "format": "uuid",
    "examples": ["018f6b2e-7c1a-7d3e-9f00-0123456789ab"],
}
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _no_control_characters(value: str) -> str:
    if _CONTROL_CHARACTER.search(value):
        raise ValueError("must not contain control characters")
    return value


def _canonical_uuid(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise ValueError("must be a UUID of the form 018f6b2e-7c1a-7d3e-9f00-0123456789ab")
    return value.lower()


def _seconds(value: int) -> int:
    if value < 0:
        raise ValueError("must not be before 1970: send Unix seconds from 0")
    if value > MAX_TIMESTAMP:
        raise ValueError("is beyond the year 9999: this looks like milliseconds, send Unix seconds")
    return value


def _present(value: object) -> object:
    if value is None:
        raise ValueError("must not be null: leave the field out to use its default")
    return value


def no_default(schema: dict[str, Any]) -> None:
    """Remove `default: null` from the JSON Schema of an optional field that does not accept null."""
    del schema["default"]


@lru_cache(maxsize=8)  # under load, several events have the same millisecond
def rfc3339_milliseconds(value: datetime) -> str:
    """Encode a time as in RFC 3339, in UTC with milliseconds, such as 2026-01-31T12:00:00.123Z."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _not_reserved(value: str) -> str:
    if value.startswith(RESERVED_PREFIX):
        raise ValueError(f"must not begin with {RESERVED_PREFIX}: such events are the service's own")
    return value


EventType = Annotated[
    StrictStr,
    Field(min_length=1, max_length=255, examples=["user.login"]),
    AfterValidator(_no_control_characters),
]
CustomerId = Annotated[StrictInt, Field(ge=MIN_INTEGER, le=MAX_INTEGER, examples=[42])]
Timestamp = Annotated[StrictInt, AfterValidator(_seconds), WithJsonSchema(_SECONDS_SCHEMA)]
EventId = Annotated[StrictStr, AfterValidator(_canonical_uuid), WithJsonSchema(_UUID_SCHEMA)]
EventData = Annotated[
    dict[str, Any],
    Field(
        min_length=1,
        description="Any JSON object; queries return an equal one.",
        examples=[_EXAMPLE["event_data"]],
    ),
]
ReceivedAt = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339_milliseconds),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.123Z"]}),
]


class NewEvent(BaseModel):
    """An event as a client posts it. Unknown fields are refused, because dropping them would lose data."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    event_type: Annotated[EventType, AfterValidator(_not_reserved)] = Field(description="What happened.")
    customer_id: CustomerId = Field(
        description="Customer whose audit log the event belongs to; a signed 64-bit JSON integer, not 42.0."
    )
    timestamp_utc: Annotated[Timestamp | None, BeforeValidator(_present), WithJsonSchema(_SECONDS_SCHEMA)] = Field(
        default=None,
        description="When it happened, in Unix seconds (a JSON integer); default: the receive time.",
        json_schema_extra=no_default,
    )
    event_data: EventData
    event_id: Annotated[EventId | None, BeforeValidator(_present), WithJsonSchema(_UUID_SCHEMA)] = Field(
        default=None,
        description="Id chosen by the client, for safe retries; default: a UUIDv7 generated by the service.",
        json_schema_extra=no_default,
    )


class Event(BaseModel):
    """An event as the service stores it: the posted fields, its id, receive time and sender.

    Its JSON form is also the body of its queue message, so the id stays the same in every redelivery.
    """

    model_config = ConfigDict(frozen=True)

    event_id: EventId
    event_type: EventType
    customer_id: CustomerId
    timestamp_utc: Timestamp
    event_data: EventData
    received_at: ReceivedAt = Field(description="When the service accepted the event; RFC 3339, milliseconds, UTC.")
    recorded_by: StrictStr = Field(description="Client that sent the event.", examples=["client-9693b25894fd7e86"])

    @classmethod
    def received(cls, new: NewEvent, *, at: datetime, by: str, derived_id: str | None = None) -> "Event":
        """Build the event from a posted one, received at time `at` from client `by`.

        The id is the one that the client chose, else `derived_id`, else a new UUIDv7 (RFC 9562 section 5.7).
        """
        fields = {
            "event_id": new.event_id or derived_id or str(uuid_utils.uuid7()),
            "event_type": new.event_type,
            "customer_id": new.customer_id,
            "timestamp_utc": int(at.timestamp()) if new.timestamp_utc is None else new.timestamp_utc,
            "event_data": new.event_data,
            "received_at": at.replace(microsecond=at.microsecond // 1000 * 1000) if at.microsecond % 1000 else at,
            "recorded_by": by,
        }
        return build_model(cls, fields)

    def to_json(self) -> bytes:
        """Encode the event as JSON in UTF-8, five times as fast as pydantic does."""
        return orjson.dumps(
            {
                "event_id": self.event_id,
                "event_type": self.event_type,
                "customer_id": self.customer_id,
                "timestamp_utc": self.timestamp_utc,
                "event_data": self.event_data,
                "received_at": rfc3339_milliseconds(self.received_at),
                "recorded_by": self.recorded_by,
            }
        )

    def same_content(self, other: "Event") -> bool:
        """Whether the event has the content of `other`, the first one with its id: a harmless repeat, not a conflict.

        An imported event has the content of the event that was exported, and of another import of it.
        The receive time differs between retries and is ignored. So are the timestamps if each equals the receive time
        of its event, which is the default of a timestamp that the client leaves out.
        """
        data, recorder, first_data, first = self.event_data, self.recorded_by, other.event_data, other.recorded_by
        if ORIGIN in data:
            recorder, first = first_recorder(data, recorder), first_recorder(first_data, first)
            data, first_data = without_origin(data), without_origin(first_data)
        return (
            self.event_type == other.event_type
            and self.customer_id == other.customer_id
            and _same_json(data, first_data)
            and recorder == first
            and (self.timestamp_utc == other.timestamp_utc or (has_default_time(self) and has_default_time(other)))
        )


def _same_json(one: Any, other: Any) -> bool:
    """Compare JSON values: 5 equals 5.0, but true does not equal 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same_json(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def has_default_time(event: Event) -> bool:
    """Return whether the timestamp of an event is its receive time, as for one that was posted without."""
    return event.timestamp_utc == int(event.received_at.timestamp())


def derive_id(namespace: uuid.UUID, client: str, idempotency_key: str) -> str:
    """Derive the id of an event from its client and Idempotency-Key (UUIDv5, RFC 9562 section 5.5).

    `namespace` is secret: a client that could compute the ids of another one could use them first.
    """
    return str(uuid.uuid5(namespace, f"{client}\n{idempotency_key}"))


class Client(BaseModel):
    """A program that may get tokens. Secrets are stored as SHA-256 digests; during a rotation two are valid."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    name: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_no_control_characters)]
    scopes: tuple[str, ...] = Field(min_length=1)
    customers: tuple[CustomerId, ...] | None = Field(
        default=None, description="Customers that the client is limited to; None: all."
    )
    secret_digest: str = Field(repr=False)
    previous_secret_digest: str | None = Field(default=None, repr=False)
    created_at: datetime
    last_used_at: datetime | None = None
    disabled_at: datetime | None = None
    tokens_not_before: int | None = Field(
        default=None, description="Unix second in which the earliest accepted token was issued; None: any."
    )

    @property
    def first_valid_iat(self) -> float:
        """Earliest `iat` of tokens that are accepted, in Unix seconds; infinite if none is."""
        return math.inf if self.disabled_at is not None else self.tokens_not_before or 0
