"""What tests of queues do with messages."""

from collections.abc import Sequence
from contextlib import suppress

from core.errors import QueueUnavailableError
from core.ports.queue import DeadLetter, EventSource, Message
from tests.support.builders import event
from tests.support.waiting import until


def body(number: int) -> str:
    """The body of the message with this event of the builder."""
    return event(number).model_dump_json()


def bodies(messages: Sequence[Message | DeadLetter]) -> list[str]:
    return [message.body for message in messages]


def receipts(messages: Sequence[Message]) -> list[str]:
    return [message.receipt_handle for message in messages]


def take(source: EventSource, count: int = 1) -> list[Message]:
    """Receive `count` messages, in as many calls as necessary, as a consumer does: also while the broker comes back."""
    taken: list[Message] = []

    def has_all() -> bool:
        with suppress(QueueUnavailableError):
            taken.extend(source.receive(count - len(taken), wait=0.1))
        return len(taken) >= count

    until(has_all, f"{count} messages", shown=lambda: f"{len(taken)} have come")
    assert len(taken) == count
    return taken
