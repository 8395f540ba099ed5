"""Streams as clients send and see them. Secrets are only ever received, but for a signing secret when it is made."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field, PlainSerializer, StrictStr, ValidationError

from core.auth.tokens import MANAGE_STREAMS, Claims
from core.domain import strict_json
from core.domain.actors import Actor
from core.domain.models import rfc3339_milliseconds
from core.domain.streams import Format, State, Stream, StreamDefinition
from core.errors import EventTooLargeError, FieldError, InvalidFieldsError, MissingVersionError, VersionConflictError
from core.wiring import Services
from functions.http.bearer import authenticate
from functions.http.content_coding import decode_body
from functions.http.limits import MAX_STREAM_BYTES
from functions.http.media_types import JSON, media_type
from functions.http.query_string import QueryString
from functions.http.request import Request
from functions.http.response import ResponseModel
from functions.http.route import Header

STREAM_ID: Final[Mapping[str, Mapping[str, object]]] = {
    "stream_id": {"type": "string", "pattern": "^stream-[0-9a-f]{16}$"}
}
ETAG: Final = Header("ETag", "Version of the stream, for If-Match.")
LOCATION: Final = Header("Location", "Path of the stream.")
IF_MATCH: Final = Header("If-Match", "ETag of the stream that was read: the change is refused if it is not the newest.")

_MAX_ERRORS: Final = 20
_PLACE: Final = (
    "Where to begin: `now`, `oldest`, a time of storing in RFC 3339, a cursor of the feed, or for tokens that see all "
    "customers the index of the event before."
)
_Model = TypeVar("_Model", bound=BaseModel)
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


def actor_of(request: Request, services: Services) -> tuple[Actor, Claims]:
    """Authenticate a request about streams, which has no query parameters. Raises the errors of `authenticate`."""
    claims = authenticate(request, services, MANAGE_STREAMS)
    QueryString(request.query, known=()).raise_errors()
    return Actor(claims.client, claims.customers), claims


def parse_body(request: Request, model: type[_Model]) -> _Model:
    """Parse the JSON body.

    Raises:
        InvalidFieldsError: a field is invalid; values are not repeated.
        MalformedJSONError: the body is not JSON.
        UnsupportedMediaTypeError: it has another media type.
        EventTooLargeError: it has more than `MAX_STREAM_BYTES`.
    """
    body = decode_body(request, MAX_STREAM_BYTES)
    media_type(request, JSON)
    if len(body) > MAX_STREAM_BYTES:
        raise EventTooLargeError(f"The body has {len(body)} bytes: at most {MAX_STREAM_BYTES} are accepted.")
    try:
        return model.model_validate(strict_json.loads(body))
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=False, include_input=False)
        errors = [FieldError(loc=[*each["loc"]], msg=_message(each["msg"])) for each in found[:_MAX_ERRORS]]
        raise InvalidFieldsError("The stream is invalid: see errors.", errors) from None


def definition_of(body: NewStream | ChangedStream) -> StreamDefinition:
    """Return the definition in a body."""
    return StreamDefinition.model_construct(**{name: getattr(body, name) for name in StreamDefinition.model_fields})


def require_version(request: Request, stream: Stream) -> None:
    """Check If-Match (RFC 9110 section 13.1.1).

    Raises:
        MissingVersionError: the request has none.
        VersionConflictError: it names another version.
    """
    wanted = request.header("if-match")
    if wanted is None:
        raise MissingVersionError(
            "Send If-Match with the ETag of the stream that you have read, so that no other change is lost."
        )
    if wanted.strip() != etag(stream):
        raise VersionConflictError("The stream was changed since it was read: read it again, and repeat the change.")


def etag(stream: Stream) -> str:
    """Return the version of a stream as an entity tag."""
    return f'"{stream.version}"'


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
    return given if re.fullmatch("stream-[0-9a-f]{16}", given) else ""


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")
