"""What the handlers need from the outside, each port as small as its caller."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.domain.models import Event


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
