"""Tracks the messages that an SQS source has received and not settled. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from core.domain.traceparent import TRACEPARENT
from core.ports.queue import Message
from core.queues.receipts import Receipts
from core.queues.retry_schedule import RetrySchedule


@dataclass(frozen=True, slots=True)
class SQSDelivery:
    """A message as received; `handle` is SQS's receipt handle."""

    handle: str
    message_id: str
    body: str
    receive_count: int
    sent_at: float
    traceparent: str | None = None

    @classmethod
    def parse(cls, message: dict[str, Any]) -> "SQSDelivery":
        """Read a message of a ReceiveMessage response."""
        attributes = message["Attributes"]
        return cls(
            message["ReceiptHandle"],
            message["MessageId"],
            message["Body"],
            int(attributes["ApproximateReceiveCount"]),
            int(attributes["SentTimestamp"]) / 1000,
            message.get("MessageAttributes", {}).get(TRACEPARENT, {}).get("StringValue"),
        )


class SQSDeliveryTracker:
    """Deliveries that are with the consumer, or held back for a retry. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self._receipts: Final = Receipts[SQSDelivery]()
        self._retries: Final = RetrySchedule[SQSDelivery]()

    def issue(self, delivery: SQSDelivery) -> Message:
        """Return the message for the consumer, with a receipt that is valid until it is released."""
        with self._lock:
            return self._receipts.issue(delivery)

    def release(self, receipt_handles: Iterable[str]) -> list[SQSDelivery]:
        """Invalidate receipts and return their deliveries. Receipts that are not valid are ignored."""
        with self._lock:
            return self._receipts.release(receipt_handles)

    def schedule_retry(self, deliveries: Iterable[SQSDelivery], due_at: float) -> None:
        """Hold deliveries back until `due_at`, in seconds of the monotonic clock."""
        with self._lock:
            self._retries.add(deliveries, due_at)

    def pop_due(self, now: float, limit: int) -> list[SQSDelivery]:
        """Remove and return up to `limit` deliveries whose retry is due."""
        with self._lock:
            return self._retries.pop_due(now, limit)

    def next_due(self) -> float:
        """Return the time of the next retry, in seconds of the monotonic clock; infinity if there is none."""
        with self._lock:
            return self._retries.next_due()

    def pop_all(self) -> list[SQSDelivery]:
        """Remove and return all deliveries, and invalidate all receipts."""
        with self._lock:
            return [*self._receipts.release_all(), *self._retries.pop_all()]
