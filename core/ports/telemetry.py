"""Ports of telemetry: readiness checks, counters, histograms and the count of accepted events."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from core.domain.models import Event
from core.ports.queue import EventPublisher
from core.ports.store import EventWriter


class Check(Protocol):
    """Tests one dependency of the service for the readiness handler."""

    def __call__(self) -> dict[str, object]:
        """Return details to show, such as the depth of a queue, if the dependency is ready.

        Raises:
            AuditLogError: not ready. The message gives the reason and holds nothing confidential.
        """


class CounterName(StrEnum):
    """Counters of events, tokens and checkpoints."""

    ACCEPTED = "accepted"
    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """The store has an event with the same id and other content. Counts each attempt."""
    REFUSED = "refused"
    """Not a valid event, or rejected by the store. Counts each attempt."""
    NONCONFORMING = "nonconforming"
    """The event was accepted, and does not conform to the schema of its type in the catalogue."""
    RETRIED = "retried"
    """The message had been received before. Counts each receive after the first."""

    TOKEN_ISSUED = "token_issued"  # noqa: S105 - the name of a counter
    TOKEN_DENIED = "token_denied"  # noqa: S105
    """A token request had invalid credentials, or followed too many failures."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    """A request had an invalid token."""

    WITNESS_COSIGNED = "witness_cosigned"
    """A witness cosigned a checkpoint."""
    WITNESS_REFUSED = "witness_refused"
    """A witness answered that it does not cosign: it may have seen another history of the ledger."""
    WITNESS_UNAVAILABLE = "witness_unavailable"
    """A witness did not answer, or its answer was no cosignature."""
    ANCHOR_STORED = "anchor_stored"
    """Another place took a copy of a checkpoint."""
    ANCHOR_FAILED = "anchor_failed"
    """Another place did not take a copy of a checkpoint."""

    STREAM_DELIVERED = "stream_delivered"
    """The destination of a stream took an event."""
    STREAM_REFUSED = "stream_refused"
    """The destination of a stream refused an event, which was set aside."""
    STREAM_FAILED = "stream_failed"
    """An attempt to send a batch of a stream failed; it is tried again."""


class HistogramName(StrEnum):
    """Histograms. Times are in seconds."""

    BATCH_EVENTS = "batch_events"
    """Number of events in a batch for the store."""
    STORE_SECONDS = "store_seconds"
    """Duration of storing a batch, if it was stored."""
    ACCEPTED_TO_STORED_SECONDS = "accepted_to_stored_seconds"
    """Age of an event when it was stored, since its reception."""
    STREAM_SEND_SECONDS = "stream_send_seconds"
    """Duration of sending a batch of a stream, if the destination took it."""


class Meter(Protocol):
    """Counts and measures the work of the handlers. Never fails and never waits."""

    def count(self, what: CounterName, amount: int) -> None:
        """Add `amount`, which may be 0, to a counter."""

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """Add observations to a histogram."""


class AcceptanceRecorder(Protocol):
    """Records accepted events for later reconciliation. Never fails and never waits."""

    def record(self, events: Sequence[Event], repeats: Sequence[Event] = ()) -> None:
        """Record that these events were accepted and published, and `repeats` accepted without being published."""


class Instrumentation(Protocol):
    """Wraps parts of the pipeline, for example in the spans of a trace. A wrapped part behaves as before."""

    def publisher(self, publisher: EventPublisher) -> EventPublisher:
        """Wrap the publisher."""

    def writer(self, writer: EventWriter) -> EventWriter:
        """Wrap the writer of the event store."""


class NoTelemetry:
    """Implements `Meter`, `AcceptanceRecorder` and `Instrumentation` by doing nothing."""

    def count(self, what: CounterName, amount: int) -> None:
        """See `Meter.count`."""

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """See `Meter.measure`."""

    def record(self, events: Sequence[Event], repeats: Sequence[Event] = ()) -> None:
        """See `AcceptanceRecorder.record`."""

    def publisher(self, publisher: EventPublisher) -> EventPublisher:
        """See `Instrumentation.publisher`."""
        return publisher

    def writer(self, writer: EventWriter) -> EventWriter:
        """See `Instrumentation.writer`."""
        return writer
