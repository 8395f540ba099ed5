"""Receipt handles of the broker sources: one for each receive of a message."""

import itertools
import secrets
from collections.abc import Callable, Iterable
from typing import Final, Generic, Protocol, TypeVar

from core.ports.queue import Message


class Delivery(Protocol):
    """One receive of a message. Each broker's own class adds the fields that acknowledge it."""

    @property
    def message_id(self) -> str:
        """The broker's id of the message."""

    @property
    def body(self) -> str:
        """The message's text."""

    @property
    def receive_count(self) -> int:
        """Number of receives, including this one."""

    @property
    def sent_at(self) -> float:
        """Time of publishing, in Unix seconds."""

    @property
    def traceparent(self) -> str | None:
        """The message's `traceparent`, unchecked."""


D = TypeVar("D", bound=Delivery)


class Receipts(Generic[D]):
    """Maps the receipt handles that a consumer holds to their deliveries. Not synchronised: callers hold a lock.

    The handles are our own, because a broker's would match too much: RabbitMQ's delivery tags start at 1 on every
    channel, and SQS's handles can outlive their visibility timeout.
    """

    def __init__(self) -> None:
        self._source: Final = secrets.token_hex(8)  # no other source has handles with this prefix
        self._numbers: Final = itertools.count(1)
        self._deliveries: dict[str, D] = {}

    def issue(self, delivery: D) -> Message:
        """Return the message for the consumer, with a handle that is valid until it is released or discarded."""
        handle = f"{self._source}.{next(self._numbers)}"
        self._deliveries[handle] = delivery
        return Message(
            delivery.message_id,
            handle,
            delivery.body,
            delivery.receive_count,
            delivery.sent_at,
            delivery.traceparent,
        )

    def release(self, receipt_handles: Iterable[str]) -> list[D]:
        """Invalidate handles and return their deliveries. Handles that are not valid are ignored."""
        pop = self._deliveries.pop
        return [delivery for handle in receipt_handles if (delivery := pop(handle, None)) is not None]

    def discard(self, is_gone: Callable[[D], bool]) -> None:
        """Invalidate the handles of all deliveries that `is_gone` selects."""
        self._deliveries = {handle: each for handle, each in self._deliveries.items() if not is_gone(each)}

    def release_all(self) -> list[D]:
        """Invalidate all handles and return their deliveries."""
        return self.release(list(self._deliveries))
