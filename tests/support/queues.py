"""Queues under the contract suite of consumers: the in-memory queue, and the common part of the brokers."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.domain.models import Event
from core.errors import QueueUnavailableError
from core.ports.queue import DeadLetterQueue, EventPublisher, EventSource
from core.queues.brokers import BrokerDeadLetters, BrokerPublisher, BrokerSource
from local_runner.queue.dead_letters import DeadLetterFile
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.visibility import QueueLimits
from tests.support.spool_source import SpoolSource
from tests.support.waiting import retried

MAX_RECEIVES = 3
_LIMITS = QueueLimits(max_receives=MAX_RECEIVES)


@dataclass
class QueueUnderTest:
    """An empty queue that no other test uses, with one consumer.

    `open_source` opens another consumer. `close_source` closes the last one, whose unsettled messages go to others.
    `refuses_ids` is the error of a redrive by id, if the queue supports none. With `is_log` the queue keeps one offset:
    messages that were deleted behind one that was not are redelivered together with it.
    """

    publisher: EventPublisher
    source: EventSource
    dead_letters: DeadLetterQueue
    open_source: Callable[[], EventSource]
    close_source: Callable[[], None]
    refuses_ids: type[Exception] | None = None
    is_log: bool = False

    def reopen(self) -> None:
        """Replace the consumer without settling its messages."""
        self.close_source()
        self.source = self.open_source()


@contextmanager
def broker_queue(
    publisher: BrokerPublisher, dead_letters: BrokerDeadLetters, new_source: Callable[[], BrokerSource], **more: Any
) -> Iterator[QueueUnderTest]:
    """A queue on a broker; `more` are the fields of `QueueUnderTest` in which this broker differs."""
    sources: list[BrokerSource] = []

    def open_source() -> BrokerSource:
        sources.append(new_source())
        return sources[-1]

    def close_source() -> None:
        sources.pop().close()

    retried(publisher.statistics, QueueUnavailableError)  # a publish finds a connection, however busy the machine is
    yield QueueUnderTest(publisher, open_source(), dead_letters, open_source, close_source, **more)
    close_source()
    publisher.close()
    dead_letters.close()


class _Clock:
    """The time, and a visibility timeout more for each consumer that was closed: no test has to be faster than one."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def expire(self) -> None:
        self._ahead += _LIMITS.visibility_timeout


@contextmanager
def memory_queue() -> Iterator[QueueUnderTest]:
    """The in-memory queue. It has no connection to lose: unsettled messages are redelivered after their timeout."""
    with TemporaryDirectory() as directory:
        dead_letters = DeadLetterFile(Path(directory) / "dead-letters.db", lambda event, _: _put_back(queue, event))
        clock = _Clock()
        queue = InMemoryQueue(dead_letters, _LIMITS, clock=clock)
        yield QueueUnderTest(queue, queue, dead_letters, open_source=lambda: queue, close_source=clock.expire)


@contextmanager
def spool_queue() -> Iterator[QueueUnderTest]:
    """The queue in the spool, as the in-memory queue."""
    with TemporaryDirectory() as directory:
        dead_letters = DeadLetterFile(Path(directory) / "dead-letters.db", lambda event, _: _put_back(queue, event))
        clock = _Clock()
        queue = SpoolSource(Path(directory) / "spool", dead_letters, _LIMITS, clock)
        yield QueueUnderTest(queue, queue, dead_letters, open_source=lambda: queue, close_source=clock.expire)
        queue.spool.close()


def _put_back(queue: EventPublisher, sqs_event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Dead letters are redriven into the consume handler, which here publishes them again."""
    queue.publish([Event.model_validate_json(record["body"]) for record in sqs_event["Records"]])
    return {"batchItemFailures": []}
