"""Ports of streams: their registration, the lease of their only sender, and destinations.

A destination is a module `core.streams.destinations.KIND` with

* `Config`, a pydantic model of the public settings: frozen, unknown fields forbidden, `kind: Literal[KIND]` included;
* `Secrets`, a pydantic model of the secret settings, unknown fields forbidden, `SecretStr` in it where text is secret;
* `open_destination(stream_id: str, config: Config, secrets: Secrets, egress: Egress) -> Destination`, which raises
  MisconfiguredError for faults that are known without sending, such as a URL to an address that is not public;
* `operator_only(config: Config, secrets: Secrets) -> str | None`: why only the operator, at the command line, may set
  up such a destination, as a message about it; None if any client with the scope may;
* if it signs requests, `new_signing_secret() -> str`, and in `Secrets` a field `signing_secrets: tuple[SecretStr, ...]`
  with the newest one first, all of which sign.

Neither model may quote its input in an error (`hide_input_in_errors`). `core.streams.kinds` finds and calls them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from core.domain.models import Event

if TYPE_CHECKING:
    from core.domain.streams import Refusal, Stream


class Limits(NamedTuple):
    """Most that one batch has. A single event may have more bytes."""

    events: int = 1_000
    bytes: int = 2_000_000
    """Bytes of the events as JSON, before masking and formatting."""
    seconds: float = 0.0
    """How long the first event waits for the batch to fill, counted from its receive time."""


class BatchEntry(NamedTuple):
    """One event of a batch."""

    position: int
    """Index in the ledger."""
    event: Event
    """The event, masked."""
    record: Mapping[str, Any]
    """The masked event in the format of the stream, a JSON object."""


class Batch(NamedTuple):
    """Events to send in one request, in the order of their indices. There is at least one.

    A batch that is sent again has the same first and last event unless it was cut in halves.
    """

    stream_id: str
    entries: Sequence[BatchEntry]
    is_test: bool = False
    """Whether a person tries the destination: the event is made up, and must not replace stored ones."""


class Receipt(NamedTuple):
    """What a destination said to a batch that it took."""

    status: int | None = None
    """HTTP status, if there is one."""
    refused: int = 0
    """Number of events that it did not take and that must not be sent again (OTLP: rejected_log_records)."""


class Destination(Protocol):
    """Sends batches. One thread at a time uses it."""

    limits: Limits

    def send(self, batch: Batch) -> Receipt:
        """Send a batch, and return once the other side has taken it.

        Raises:
            DeliveryDelayedError: a fault that may pass (408, 429, 5xx, no connection, no answer in time).
            DeliveryRefusedError: something in the batch is not accepted (400, 413, 422 and other 4xx).
            DestinationGoneError: the destination does not want any more (410).
            MisconfiguredError: no batch would be accepted (3xx, 401, 403, 404, 405, a name of no certificate).
        """

    def close(self) -> None:
        """Close connections."""


class SecretSeal(Protocol):
    """Encrypts the secrets of streams."""

    def seal(self, stream_id: str, secrets: Mapping[str, Any]) -> str:
        """Encrypt secrets, which must be JSON, for one stream."""

    def open(self, stream_id: str, sealed: str) -> dict[str, Any]:
        """Decrypt the secrets of a stream.

        Raises:
            SecretUnavailableError: no key decrypts them.
        """


class Lease(NamedTuple):
    """A stream and its sender. One whose beat stays the same for long enough is dead, see `core.streams.dispatcher`."""

    stream: "Stream"
    holder: str | None
    beat: int


class Failure(NamedTuple):
    """A failed attempt to send a batch."""

    reason: str
    """In words of this service."""
    status: int | None
    """HTTP status of the answer."""
    failures: int
    """Number of failures for this reason since the last delivery, this one included."""
    at: datetime
    next_try_at: datetime


class StreamAdmin(Protocol):
    """Registers streams. Each change is stored together with the event that records it, or not at all."""

    def streams(self) -> "list[Stream]":
        """Return all streams, the oldest first.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def stream(self, stream_id: str) -> "Stream":
        """Return one stream.

        Raises:
            StreamNotFoundError: no stream has this id.
            StoreUnavailableError: trying again later helps.
        """

    def add_stream(self, stream: "Stream", record: Event) -> None:
        """Store a new stream.

        Raises:
            NameTakenError: another stream has the name.
            TooManyStreamsError: there are `MAX_STREAMS` already.
            StoreUnavailableError: nothing was changed; trying again later helps.
        """

    def change_stream(self, stream: "Stream", record: Event, *, position: int | None = None) -> "Stream":
        """Replace definition, secrets and state of a stream, and its place unless `position` is None.

        Returns it with the next version. Its failures are forgotten.

        Raises:
            StreamNotFoundError: no stream has this id.
            VersionConflictError: its version is not that of `stream` any more.
            NameTakenError: another stream has the name.
            StoreUnavailableError: nothing was changed; trying again later helps.
        """

    def delete_stream(self, stream: "Stream", record: Event) -> None:
        """Delete a stream and its refusals.

        Raises:
            StreamNotFoundError: no stream has this id.
            VersionConflictError: its version is not that of `stream` any more.
            StoreUnavailableError: nothing was changed; trying again later helps.
        """

    def forget_refusals(self, stream_id: str, positions: Sequence[int]) -> None:
        """Delete the refusals that begin at these indices.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
        """

    def refusals(self, stream_id: str, limit: int) -> "list[Refusal]":
        """Return the first refusals in the order of their indices.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class StreamLeases(Protocol):
    """Changes by senders. All methods raise StoreUnavailableError: nothing was changed, and trying again later helps.

    Those that take a holder do nothing, and return None or False, if another sender holds the stream or its place was
    moved: let it go then. The others return the stream as it is now.
    """

    def active(self) -> Sequence[Lease]:
        """Return all active streams."""

    def take(self, seen: Lease, holder: str) -> bool:
        """Take over a stream unless its holder, beat or version has changed since it was seen."""

    def beat(self, holders: Sequence[str]) -> None:
        """Show that these senders live."""

    def release(self, stream_id: str, holder: str) -> None:
        """Let a stream go, so that the next sender need not wait."""

    def advance(self, stream: "Stream", holder: str, position: int) -> "Stream | None":
        """Move the place of a stream past entries that are not for it."""

    def deliver(
        self, stream: "Stream", holder: str, position: int, *, status: int | None, at: datetime
    ) -> "Stream | None":
        """Move the place of a stream past entries that were delivered: it does not fail any more."""

    def fail(self, stream: "Stream", holder: str, failure: Failure) -> "Stream | None":
        """Note a failed attempt."""

    def refuse(
        self, stream: "Stream", holder: str, position: int, *, refusal: "Refusal", record: Event | None
    ) -> "Stream | None":
        """Note refused events, with an event that records it unless that is None, and move the place behind them."""

    def suspend(self, stream: "Stream", holder: str, position: int, *, reason: str, record: Event) -> bool:
        """Suspend a stream at a place, and forget the refusals from there on. The event records it."""
