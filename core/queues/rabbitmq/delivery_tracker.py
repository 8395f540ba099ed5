"""What the broker has pushed to one channel and nobody has settled: the half of a consumer without the network."""

import secrets
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Condition

from core.errors import QueueUnavailableError
from core.ports.queue import Message


@dataclass(slots=True)
class RabbitMQDelivery:
    """One message as pushed; `tag` is the broker's number for it on this channel."""

    tag: int
    message_id: str
    body: str
    receive_count: int
    sent_at: float
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Of the message with this tag; with `multiple`, of all before it as well."""

    tag: int
    multiple: bool


class RabbitMQDeliveryTracker:
    """Filled by the event loop and emptied by one thread that receives. Lost with its channel, as a whole."""

    def __init__(self) -> None:
        self._id = secrets.token_hex(8)  # tags begin at 1 on every channel: a receipt must not fit another's
        self._receives = 0
        self._changed = Condition()
        self._enough = 1
        self._waiting: deque[RabbitMQDelivery] = deque()
        self._received: dict[str, RabbitMQDelivery] = {}
        self._unsettled: dict[int, None] = {}  # tags, in the order of delivery
        self.lost = False

    def add(self, delivery: RabbitMQDelivery) -> None:
        """Take a message in that the broker has pushed."""
        with self._changed:
            self._unsettled[delivery.tag] = None
            self._waiting.append(delivery)
            self._notify()

    def put_back(self, deliveries: Sequence[RabbitMQDelivery]) -> None:
        """Let messages be taken again, before the others, since they are older."""
        with self._changed:
            self._waiting.extendleft(reversed(deliveries))
            self._notify()

    def lose(self) -> None:
        """The channel is gone: the broker gives all that is not settled to another, or again."""
        with self._changed:
            self.lost = True
            self._waiting.clear()
            self._received.clear()
            self._unsettled.clear()
            self._changed.notify_all()

    def take(self, max_messages: int, wait: float, window: float) -> list[Message]:
        """See `EventSource.receive`."""
        with self._changed:
            self._wait_for(1, wait)
            if self._waiting:
                self._wait_for(max_messages, window)
            if self.lost:
                raise QueueUnavailableError("The connection to RabbitMQ was lost: try again later.")
            taken = [self._waiting.popleft() for _ in range(min(max_messages, len(self._waiting)))]
            return [self._message(delivery) for delivery in taken]

    def release(self, receipt_handles: Iterable[str]) -> list[RabbitMQDelivery]:
        """The messages of these receipts, which are valid no longer; a receipt that is not valid counts for nothing."""
        with self._changed:
            return [
                delivery for receipt in receipt_handles if (delivery := self._received.pop(receipt, None)) is not None
            ]

    def settle(self, deliveries: Iterable[RabbitMQDelivery]) -> list[Acknowledgement]:
        """Forget messages; what to tell the broker of it, in as few words as it takes."""
        with self._changed:
            settled = {delivery.tag for delivery in deliveries} & self._unsettled.keys()
            first = 0
            for tag in self._unsettled:
                if tag not in settled:
                    break
                first = tag
            for tag in settled:
                del self._unsettled[tag]
        acknowledgements = [Acknowledgement(first, multiple=True)] if first else []
        return acknowledgements + [Acknowledgement(tag, multiple=False) for tag in sorted(settled) if tag > first]

    def _message(self, delivery: RabbitMQDelivery) -> Message:
        self._receives += 1
        receipt = f"{self._id}.{self._receives}"
        self._received[receipt] = delivery
        return Message(
            delivery.message_id,
            receipt,
            delivery.body,
            delivery.receive_count,
            delivery.sent_at,
            delivery.traceparent,
        )

    def _wait_for(self, count: int, seconds: float) -> None:
        """Wait until so many messages are here; woken once for all of them, not by each."""
        self._enough = count
        deadline = time.monotonic() + seconds
        while len(self._waiting) < count and not self.lost and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)

    def _notify(self) -> None:
        if len(self._waiting) >= self._enough:
            self._changed.notify_all()
