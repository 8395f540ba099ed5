"""Deliveries: what a consumer receives, who stores it, and what becomes of what failed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from core.ports.queue import EventSource, Message
from functions.consume_events import ConsumeHandler
from local_runner.aws_events.lambda_context import LambdaContext
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.queue.spooled import Run, SpoolQueue

Item = TypeVar("Item")

RetryDelay = Callable[[int], float]
"""Seconds until an event is received again, by how often it was received."""


class Deliveries(Protocol[Item]):
    """A queue, and a store for its events. A batch is a sequence of messages, or of runs of events."""

    def receive(self, max_messages: int, *, wait: float, window: float) -> Sequence[Item]:
        """See `EventSource.receive`."""

    def count(self, batch: Sequence[Item]) -> int:
        """Return the number of events in a batch."""

    def store(self, batch: Sequence[Item]) -> Collection[int] | Collection[str]:
        """Store a batch, and return which of its events failed, for `complete`.

        Raises:
            StoreUnavailableError: it has to be stored again; an event that is stored twice does no harm.
            Exception: a bug; all events failed.
        """

    def complete(self, batch: Sequence[Item], failed: Collection[int] | Collection[str], delay: RetryDelay) -> None:
        """Delete the events of a batch but the failed ones, which are received again."""

    def retry(self, batch: Sequence[Item], delay: RetryDelay) -> None:
        """Have all events of a batch received again: each failed."""

    def give_back(self, batch: Sequence[Item], delay: float) -> None:
        """Have a batch received again. This receive does not count, since the failure is not that of an event."""

    def isolate(self, batch: Sequence[Item], delay: float) -> None:
        """Have a batch received again over which the process that stores died; it counts once one event is left."""


class MessageDeliveries:
    """Implements `Deliveries` for a queue of messages, such as a broker's, and a handler of SQS events."""

    def __init__(self, queue: EventSource, handler: ConsumeHandler) -> None:
        self._queue = queue
        self._handler = handler

    def receive(self, max_messages: int, *, wait: float, window: float) -> Sequence[Message]:
        """See `Deliveries.receive`."""
        return self._queue.receive(max_messages, wait=wait, window=window)

    def count(self, batch: Sequence[Message]) -> int:
        """See `Deliveries.count`."""
        return len(batch)

    def store(self, batch: Sequence[Message]) -> Collection[str]:
        """See `Deliveries.store`."""
        context = LambdaContext("consume_events", batch[0].receipt_handle)
        response = self._handler(to_sqs_event(batch), context)
        return {item["itemIdentifier"] for item in response["batchItemFailures"]}

    def complete(self, batch: Sequence[Message], failed: Collection[int] | Collection[str], delay: RetryDelay) -> None:
        """See `Deliveries.complete`."""
        self._queue.delete([message.receipt_handle for message in batch if message.message_id not in failed])
        self.retry([message for message in batch if message.message_id in failed], delay)

    def retry(self, batch: Sequence[Message], delay: RetryDelay) -> None:
        """See `Deliveries.retry`."""
        for message in batch:
            self._queue.retry_after([message.receipt_handle], delay(message.receive_count))

    def give_back(self, batch: Sequence[Message], delay: float) -> None:
        """See `Deliveries.give_back`."""
        self._queue.retry_after(_handles(batch), delay, counted=False)

    def isolate(self, batch: Sequence[Message], delay: float) -> None:
        """See `Deliveries.isolate`. The consumer halves its batches at each failure, down to one message."""
        self._queue.retry_after(_handles(batch), delay, counted=len(batch) == 1)


class RunStore(Protocol):
    """Stores the events of runs, such as `StoringProcess`."""

    def store_runs(self, runs: Sequence[Run]) -> Collection[int]:
        """Store events, and return the numbers of those that failed.

        Raises:
            StoreUnavailableError: see `Deliveries.store`.
        """


class RunDeliveries:
    """Implements `Deliveries` for the queue in the spool and the process that stores."""

    def __init__(self, queue: SpoolQueue, store: RunStore) -> None:
        self._queue = queue
        self._store = store

    def receive(self, max_messages: int, *, wait: float, window: float) -> Sequence[Run]:
        """See `Deliveries.receive`."""
        return self._queue.receive(max_messages, wait=wait, window=window)

    def count(self, batch: Sequence[Run]) -> int:
        """See `Deliveries.count`."""
        return sum(run.count for run in batch)

    def store(self, batch: Sequence[Run]) -> Collection[int]:
        """See `Deliveries.store`."""
        return self._store.store_runs(batch)

    def complete(self, batch: Sequence[Run], failed: Collection[int] | Collection[str], delay: RetryDelay) -> None:
        """See `Deliveries.complete`."""
        self._queue.complete(batch, {int(number) for number in failed}, delay)

    def retry(self, batch: Sequence[Run], delay: RetryDelay) -> None:
        """See `Deliveries.retry`."""
        self._queue.complete(batch, {number for run in batch for number in run.numbers}, delay)

    def give_back(self, batch: Sequence[Run], delay: float) -> None:
        """See `Deliveries.give_back`."""
        self._queue.give_back(batch, delay)

    def isolate(self, batch: Sequence[Run], delay: float) -> None:
        """See `Deliveries.isolate`."""
        self._queue.isolate(batch, delay)


def _handles(batch: Iterable[Message]) -> list[str]:
    return [message.receipt_handle for message in batch]
