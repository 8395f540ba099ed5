"""The queues that the contract of consumers holds for. Each other adapter has a module of its own beside this one."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.models import Event
from core.ports import DeadLetter, DeadLetterQueue, EventPublisher, EventSource
from local_runner.queue import InMemoryQueue, QueueLimits

MAX_RECEIVES = 3


@dataclass
class QueueUnderTest:
    """An empty queue that no other test uses, with one consumer.

    `open_source` opens another consumer, and `close_source` ends the one at hand, which leaves what it has received and
    not settled to others. `refuses_ids` is what redriving some dead letters raises where only all can be. With `is_log`
    the queue remembers one place: what was deleted behind a message that was not comes again along with it.
    """

    publisher: EventPublisher
    source: EventSource
    dead_letters: DeadLetterQueue
    open_source: Callable[[], EventSource]
    close_source: Callable[[], None]
    refuses_ids: type[Exception] | None = None
    is_log: bool = False

    def reopen(self) -> None:
        """End the consumer as it is and start another in its place."""
        self.close_source()
        self.source = self.open_source()


class _InMemoryDeadLetters:
    """The dead letters of the in-memory queue, in the shape of the port."""

    def __init__(self, queue: InMemoryQueue) -> None:
        self._queue = queue

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        bodies = self._queue.dead_letters()[:limit]
        return [DeadLetter(Event.model_validate_json(body).event_id, body, MAX_RECEIVES) for body in bodies]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        if message_ids is not None:
            raise NotImplementedError
        return self._queue.redrive()


@contextmanager
def memory_queue() -> Iterator[QueueUnderTest]:
    """The in-memory queue has no connection to lose: what its consumer left comes again after the timeout."""
    queue = InMemoryQueue(QueueLimits(visibility_timeout=1.0, max_receives=MAX_RECEIVES))
    yield QueueUnderTest(
        queue,
        queue,
        _InMemoryDeadLetters(queue),
        open_source=lambda: queue,
        close_source=lambda: None,
        refuses_ids=NotImplementedError,
    )
