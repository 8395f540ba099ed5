"""Tracks the unacknowledged messages of one RabbitMQ channel. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import QueueUnavailableError
from core.ports.queue import Message
from core.queues.delivery_buffer import DeliveryBuffer


@dataclass(slots=True)
class RabbitMQDelivery:
    """A message as pushed; `tag` is its delivery tag, which is valid on this channel only."""

    tag: int
    message_id: str
    body: str
    receive_count: int
    sent_at: float
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A `basic.ack` to send: of the message with this tag and, with `multiple`, of all before it."""

    tag: int
    multiple: bool


class RabbitMQDeliveryTracker(DeliveryBuffer[RabbitMQDelivery]):
    """Filled by the event loop, emptied by the thread that receives. Ends with its channel."""

    def __init__(self) -> None:
        super().__init__()
        self._unsettled: dict[int, None] = {}  # tags, in the order of delivery
        self.lost = False

    def add(self, delivery: RabbitMQDelivery) -> None:
        """Add a message that the broker has pushed."""
        with self._changed:
            self._unsettled[delivery.tag] = None
            self._append([delivery])

    def lose(self) -> None:
        """Drop everything because the channel is closed: the broker redelivers all unsettled messages."""
        with self._changed:
            self.lost = True
            self._unsettled.clear()
            self._discard(lambda _: True)
            self._changed.notify_all()

    def take(self, max_messages: int, wait: float, window: float) -> list[Message]:
        """Implement `EventSource.receive`.

        Raises:
            QueueUnavailableError: the channel is closed.
        """
        with self._changed:
            messages = super().take(max_messages, wait, window)
            if self.lost:
                raise QueueUnavailableError("The connection to RabbitMQ was lost: try again later.")
            return messages

    def settle(self, deliveries: Iterable[RabbitMQDelivery]) -> list[Acknowledgement]:
        """Mark messages as settled and return the fewest acknowledgements that say so."""
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

    @property
    def unsettled(self) -> int:
        """Number of messages that the broker has pushed and that are neither acknowledged nor rejected."""
        with self._changed:
            return len(self._unsettled)

    def _has_enough(self, count: int) -> bool:
        return self.lost or super()._has_enough(count)
