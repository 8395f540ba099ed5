"""Streams as clients send and see them. Secrets are only ever received, but for a signing secret when it is made."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, PlainSerializer, StrictStr

from core.auth.tokens import Claims
from core.domain.models import rfc3339_milliseconds
from core.domain.streams import Format, State, Stream, StreamDefinition
from core.errors import InvalidFieldsError
from core.wiring import Services
from functions.http.request import Request
from functions.http.response import ResponseModel
from functions.http.route import Header

_STREAM_ID: Final = re.compile("stream-[0-9a-f]{16}")

STREAM_ID: Final[Mapping[str, Mapping[str, object]]] = {
    "stream_id": {"type": "string", "pattern": "^stream-[0-9a-f]{16}$"}
}
ETAG: Final = Header("ETag", "Version of the stream, for If-Match.")
LOCATION: Final = Header("Location", "Path of the stream.")
IF_MATCH: Final = Header("If-Match", "ETag of the stream that was read: the change is refused if it is not the newest.")

_PLACE: Final = (
    "Where to begin: `now`, `oldest`, a time of storing in RFC 3339, a cursor of the feed, or for tokens that see all "
    "customers the index of the event before."
)
_Time = Annotated[datetime, PlainSerializer(rfc3339_milliseconds)]


class NewStream(StreamDefinition):
    """A stream to be created."""

    secrets: dict[str, Any] = Field(
        default_factory=dict,
        description="Secret settings of the destination. They are encrypted, and never returned.",
        examples=[{"headers": {"Authorization": "Bearer ..."}}],
    )
    after: StrictStr = Field(default="now", max_length=100, description=_PLACE)


class ChangedStream(StreamDefinition):
    """A new definition of a stream."""

    secrets: dict[str, Any] | None = Field(
        default=None, description="Secret settings that replace the present ones; null: these stay."
    )


class Replay(BaseModel):
    """A place in the log."""

    model_config = NewStream.model_config

    after: StrictStr = Field(max_length=100, description=_PLACE, examples=["2026-01-31T12:00:00Z"])


class StreamView(ResponseModel):
    """A stream."""

    stream_id: str
    name: str
    destination: dict[str, Any]
    format: Format
    filter: str
    customers: tuple[int, ...] | None
    drop: tuple[str, ...]
    hash: tuple[str, ...]
    batch: int
    state: State
    reason: str | None = Field(description="Why it is suspended, or why the last attempt failed.")
    position: int | None = Field(description="Index of the next event. Null for tokens limited to customers.")
    behind_seconds: float = Field(description="For how long the next event has been stored.")
    delivered_at: _Time | None
    failures: int = Field(description="Failed attempts for this reason since the last delivery.")
    failing_since: _Time | None
    next_try_at: _Time | None
    last_status: int | None = Field(description="HTTP status of the destination's last answer.")
    refused: int = Field(description="Number of refusals that are neither sent again nor forgotten.")
    version: int
    created_at: _Time
    changed_at: _Time


class CreatedStream(StreamView):
    """A stream that was created."""

    signing_secret: str | None = Field(description="Secret that signs requests. It is not shown again.")


class StreamList(ResponseModel):
    """The streams that the token may see, the oldest first."""

    streams: list[StreamView]


class DeletedStream(ResponseModel):
    """A stream that was deleted."""

    stream_id: str


class SigningSecret(ResponseModel):
    """A new secret that signs requests. It is not shown again; the former one signs them as well."""

    signing_secret: str


class TestResult(ResponseModel):
    """Result of a test."""

    __test__ = False  # not one of pytest's classes

    delivered: bool
    status: str | None = Field(description="Class of the destination's HTTP status, such as 4xx.")
    reason: str | None = Field(description="Why it was not delivered, in words of this service.")


class ResendResult(ResponseModel):
    """Numbers of refusals after they were sent again."""

    delivered: int
    refused: int
    left: int


def definition_of(body: NewStream | ChangedStream) -> StreamDefinition:
    """Return the definition in a body."""
    return StreamDefinition.model_construct(**{name: getattr(body, name) for name in StreamDefinition.model_fields})


def view_fields(stream: Stream, services: Services, claims: Claims) -> dict[str, Any]:
    """Return the fields of `StreamView`."""
    fields = {name: getattr(stream, name) for name in StreamView.model_fields if hasattr(stream, name)}
    position = stream.position if claims.customers is None else None
    return {**fields, "position": position, "behind_seconds": services.streams.status.behind_seconds(stream)}


def place_of(after: str, services: Services, claims: Claims) -> int:
    """Return the index that a text means. Raises InvalidFieldsError."""
    try:
        return services.streams.place(after, with_indices=claims.customers is None)
    except ValueError as exc:
        raise InvalidFieldsError("The stream is invalid: see errors.", [{"loc": ["after"], "msg": str(exc)}]) from None


def stream_id_of(request: Request) -> str:
    """Return the id in the path; one that no stream can have is empty."""
    given = request.path_parameters.get("stream_id", "")
    return given if _STREAM_ID.fullmatch(given) else ""
