"""Ports of the queue: publishing events, consuming them, and dead letters."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Protocol, TypeVar

from core.domain.models import Event

Item = TypeVar("Item")


class EventPublisher(Protocol):
    """Takes accepted events from the create handlers."""

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """Enqueue all of `events`.

        When this returns, the queue is responsible for them; with a `CommitGroup`, when the response leaves.

        If a broker fails in the middle of a batch, it may have enqueued a part of it, which is stored like any other
        event. The client sends the batch again; events with ids from the client are still stored only once.

        `traceparent` accompanies each message, see `core.domain.traceparent`.

        Raises:
            QueueFullError: the queue is at its limit; trying again later helps.
            QueueUnavailableError: the queue is unreachable; trying again later helps.
        """


class CommitGroup(Protocol):
    """Publishes of several requests that take effect together, before the responses to these requests leave."""

    def after_commit(self, action: Callable[[Sequence[Item]], None], item: Item) -> None:
        """Call `action` with `item` once the events that the current request has published last are in the queue.

        One call takes the items of all requests of the group. None is called if the publishing fails. `action` neither
        fails nor waits, and any thread may call it.
        """

    def commit_if_holds(self, event_id: str) -> None:
        """Put the events of earlier requests into the queue now if one of them has this id and is not in it yet.

        If that fails, those requests are refused, and this call returns all the same.
        """


class NoGroup:
    """Implements `CommitGroup` for publishers whose events are in the queue when `publish` returns."""

    def after_commit(self, action: Callable[[Sequence[Item]], None], item: Item) -> None:
        """See `CommitGroup.after_commit`."""
        action([item])

    def commit_if_holds(self, event_id: str) -> None:
        """See `CommitGroup.commit_if_holds`."""


class Message(NamedTuple):
    """A received message. `receipt_handle` identifies this receive.

    `sent_at` is the time at which the queue accepted it, in Unix seconds. `traceparent` is
    unchecked, because any program may have sent the message.
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    sent_at: float
    traceparent: str | None = None


class EventSource(Protocol):
    """Delivers each message to a consumer at least once, and again until it is deleted.

    The source moves a message that was received too often without being deleted to the dead letters.
    """

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """Return up to `max_messages`.

        Waits up to `wait` seconds for the first one, and from then on up to `window` seconds for a fuller batch.

        Raises:
            QueueUnavailableError: the queue is unreachable; trying again later helps.
        """

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """Delete messages that are done. A receipt that is no longer valid is ignored: its message is redelivered.

        Raises:
            QueueUnavailableError: the queue is unreachable; the messages are redelivered.
        """

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """Redeliver messages in `delay` seconds, or sooner if the consumer dies in the meantime.

        With `counted=False` this receive does not count towards the limit, for failures that are not the message's
        fault, such as an outage of the store.

        Raises:
            QueueUnavailableError: the queue is unreachable; the messages are redelivered.
        """


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Figures of a queue at one moment. None stands for a figure that this queue does not have.

    `waiting` messages can be received, `in_flight` ones were received and are not deleted; a broker that does not
    distinguish them has both in `waiting`. `dead_letters` were given up. `capacity` is the greatest number of messages,
    `bytes` the size of those in memory and `max_bytes` its bound. `partitions` are those of a Kafka topic.
    """

    waiting: int
    in_flight: int | None = None
    dead_letters: int | None = None
    oldest_age_seconds: float | None = None
    capacity: int | None = None
    bytes: int | None = None
    max_bytes: int | None = None
    partitions: int | None = None

    @property
    def held(self) -> int:
        """How many messages the queue still has to deliver or to see deleted."""
        return self.waiting + (self.in_flight or 0)

    def facts(self) -> dict[str, object]:
        """The figures that are known, by name, as `/ready` shows them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class QueueMonitor(Protocol):
    """Reads how much a queue holds."""

    def __call__(self) -> QueueStatistics:
        """The statistics at this moment.

        Raises:
            QueueUnavailableError: nothing can be accepted; the message says why.
            NotSupportedError: this process cannot know them.
        """


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed too often, with its body and the number of its receives."""

    message_id: str
    body: str
    receive_count: int


class DeadLetterQueue(Protocol):
    """Keeps messages that failed too often until an operator redrives them."""

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to `limit` dead letters, oldest first, without removing them.

        Raises:
            QueueUnavailableError: the queue is unreachable; trying again later helps.
        """

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Move dead letters back to the queue with a receive count of 0; return how many were moved.

        `message_ids` selects some; None selects all. After an interruption a message may be in both places.

        Raises:
            NotSupportedError: this queue can only redrive all.
            QueueUnavailableError: the queue is unreachable; trying again later helps.
        """
