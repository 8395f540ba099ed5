"""Ports of telemetry: readiness checks, counters, histograms and the count of accepted events."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol

from core.domain.models import Event


class Check(Protocol):
    """One thing that must work for the service to be ready, asked by the readiness handler."""

    def __call__(self) -> dict[str, object]:
        """Facts worth showing (such as a depth) when all is well.

        Raises:
            AuditLogError: not ready; the message says why, in words that may be shown to anyone.
        """


class CounterName(Enum):
    """What is counted, one for each event or token that it happens to."""

    ACCEPTED = "accepted"
    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """Its id was there with other content: one for each try."""
    REFUSED = "refused"
    """It is no event, or the store does not take it: one for each try."""
    RETRIED = "retried"
    """Its message had been received before: one for each receive after the first."""

    TOKEN_ISSUED = "token_issued"  # noqa: S105 - the name of a count
    TOKEN_DENIED = "token_denied"  # noqa: S105
    """A client asked for a token without credentials that let it have one, or failed too often."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    """A request came with a token that does not count."""


class HistogramName(Enum):
    """What is measured; times are in seconds."""

    BATCH_EVENTS = "batch_events"
    """How many events were given to the store at once."""
    STORE_SECONDS = "store_seconds"
    """How long the store took for a batch that it took."""
    ACCEPTED_TO_STORED_SECONDS = "accepted_to_stored_seconds"
    """How old an event was when it was stored, counted from its reception."""


class Meter(Protocol):
    """Where handlers count what they did. Counting never fails and never waits."""

    def count(self, what: CounterName, amount: int) -> None:
        """Add `amount`, which may be 0."""

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """Note values, one for each time that it happened."""


class AcceptanceRecorder(Protocol):
    """Where it is noted which events were accepted, for a later reconciliation. Noting never fails and never waits."""

    def accepted(self, events: Sequence[Event]) -> None:
        """These were accepted, each once."""
