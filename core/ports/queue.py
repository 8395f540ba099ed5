"""What the handlers need from the outside, each port as small as its caller."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from core.domain.models import Client, Event

if TYPE_CHECKING:  # models that only those need who look events up
    from core.domain.queries import EventFilter, Matches, PageRequest
    from core.domain.summaries import Summary


class EventPublisher(Protocol):
    """Where create-event puts what it accepted."""

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """Take all of `events`; when this returns they are in the queue's keeping.

        A broker that goes away in the middle of a batch may have taken some of it. They are stored like any others, so
        a batch that is sent again is stored once if its events have ids of their own. `traceparent` goes with each of
        them, see `core.domain.traceparent`.

        Raises:
            QueueFullError: the queue is at its bound; trying again later helps.
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """


class Message(NamedTuple):
    """A message as received. `receipt_handle` is of this receive alone; `sent_at` is in Unix seconds.

    `traceparent` is what came with it, checked by nobody.
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    sent_at: float
    traceparent: str | None = None


class EventSource(Protocol):
    """Where a consumer takes messages from: each comes at least once, and again until it is deleted.

    A message that is received too often without being deleted becomes a dead letter, by the source's own doing.
    """

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """Up to `max_messages`, after at most `wait` seconds for the first and `window` more for a fuller batch.

        Raises:
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """Forget messages that are dealt with. A receipt that is no longer valid is ignored: its message comes again.

        Raises:
            QueueUnavailableError: the queue cannot be reached; the messages come again.
        """

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """Let messages be received again in `delay` seconds, sooner if the consumer dies meanwhile.

        With `counted=False` this receive does not count towards the limit: for when the fault lies elsewhere, such as
        a store that is down.

        Raises:
            QueueUnavailableError: the queue cannot be reached; the messages come again.
        """


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up: `body` is what it carried, `receive_count` how often it was tried."""

    message_id: str
    body: str
    receive_count: int


class DeadLetterQueue(Protocol):
    """Where messages are that were given up, until somebody looks."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Up to `limit` of them, the oldest first; they stay where they are.

        Raises:
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Put dead letters back, as if never received: those with these ids, or all; how many there were.

        One that is not put back stays a dead letter; an interruption may leave it in both places.

        Raises:
            NotSupportedError: this queue can only put back all.
            QueueUnavailableError: the queue cannot be reached; trying again later helps.
        """


class Outcome(Enum):
    """What became of an event that was given to a store."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """Its id was there with the same content: a repeat, which is harmless."""
    CONFLICT = "conflict"
    """Its id was there with other content, which stays as it is."""


class EventWriter(Protocol):
    """Where consume-events puts a batch."""

    def add(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Store all of `events` in one transaction, durably; an id that is already there keeps its first content.

        The outcomes are in the order of `events`.

        Raises:
            StoreUnavailableError: nothing was stored; trying again later helps.
            EventNotStorableError: nothing was stored, because of at least one event; trying again never helps it.
        """


class EventReader(Protocol):
    """Where the query handlers look."""

    def find(self, event_filter: "EventFilter", page: "PageRequest") -> "Matches":
        """The events of one page, ordered by time and then id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def read(self, event_filter: "EventFilter", page: "PageRequest") -> list[Event]:
        """The events of one page as `find` has them, without counting all that match: for reading many pages on end.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def get(self, event_id: str) -> Event | None:
        """The event with this id.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class EventSummaries(Protocol):
    """Where the viewer learns what there is to see."""

    def summarize(self, event_filter: "EventFilter") -> "Summary":
        """How many events match over time, and what they mostly are; the work is bounded however many there are.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class ClientReader(Protocol):
    """Where the token handlers look clients up, and what verifies tokens learns which are disabled."""

    def client(self, client_id: str) -> Client | None:
        """The client with this id, disabled or not.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def disabled(self) -> frozenset[str]:
        """The ids of all disabled clients.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def touch(self, client_id: str, at: datetime) -> None:
        """Remember that the client got a token at this time.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class ClientAdmin(Protocol):
    """Where the command line keeps clients. Each change is stored together with the event that tells of it."""

    def clients(self) -> list[Client]:
        """All clients, oldest first.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def put_client(self, client: Client, act: Event) -> None:
        """Add the client, or replace the one with its id, and record `act`, both or neither.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
        """


class Check(Protocol):
    """One thing that must work for the service to be ready, asked by the readiness handler."""

    def __call__(self) -> dict[str, object]:
        """Facts worth showing (such as a depth) when all is well.

        Raises:
            AuditLogError: not ready; the message says why, in words that may be shown to anyone.
        """


class Count(Enum):
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


class Measure(Enum):
    """What is measured; times are in seconds."""

    BATCH_EVENTS = "batch_events"
    """How many events were given to the store at once."""
    STORE_SECONDS = "store_seconds"
    """How long the store took for a batch that it took."""
    ACCEPTED_TO_STORED_SECONDS = "accepted_to_stored_seconds"
    """How old an event was when it was stored, counted from its reception."""


class Meter(Protocol):
    """Where handlers count what they did. Counting never fails and never waits."""

    def count(self, what: Count, amount: int) -> None:
        """Add `amount`, which may be 0."""

    def measure(self, what: Measure, values: Iterable[float]) -> None:
        """Note values, one for each time that it happened."""


class Ledger(Protocol):
    """Where it is noted which events were accepted, for a later reconciliation. Noting never fails and never waits."""

    def accepted(self, events: Sequence[Event]) -> None:
        """These were accepted, each once."""
