"""What a source has received and not settled: with the consumer, or here until its pause is over."""

import heapq
import itertools
import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from core.domain.traceparent import TRACEPARENT
from core.ports.queue import Message


@dataclass(frozen=True, slots=True)
class SQSDelivery:
    """A message as SQS delivered it; `handle` is SQS's receipt handle, which settles it."""

    handle: str
    message_id: str
    body: str
    receive_count: int
    sent_at: float
    traceparent: str | None = None

    @classmethod
    def of(cls, message: dict[str, Any]) -> "SQSDelivery":
        """The one in an answer of ReceiveMessage."""
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
    """Gives each receive a receipt of its own. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._source: Final = secrets.token_hex(8)  # a receipt of another source is none of ours
        self._numbers = itertools.count(1)
        self._given: dict[str, SQSDelivery] = {}
        self._paused: list[tuple[float, int, SQSDelivery]] = []  # a heap by when its pause is over

    def give(self, delivery: SQSDelivery) -> Message:
        """The message for the consumer, under a receipt that is valid until it is released."""
        with self._lock:
            receipt = f"{self._source}.{next(self._numbers)}"
            self._given[receipt] = delivery
        return Message(
            delivery.message_id,
            receipt,
            delivery.body,
            delivery.receive_count,
            delivery.sent_at,
            delivery.traceparent,
        )

    def release(self, receipts: Iterable[str]) -> list[SQSDelivery]:
        """The messages of these receipts, which are valid no longer; a receipt that is not valid counts for nothing."""
        with self._lock:
            return [delivery for receipt in receipts if (delivery := self._given.pop(receipt, None)) is not None]

    def pause(self, deliveries: Iterable[SQSDelivery], until: float) -> None:
        """Keep messages here until this moment of the monotonic clock."""
        with self._lock:
            for delivery in deliveries:
                heapq.heappush(self._paused, (until, next(self._numbers), delivery))

    def due(self, now: float, at_most: int) -> list[SQSDelivery]:
        """Messages whose pause is over, the longest first."""
        with self._lock:
            due: list[SQSDelivery] = []
            while len(due) < at_most and self._paused and self._paused[0][0] <= now:
                due.append(heapq.heappop(self._paused)[2])
            return due

    def next_due(self) -> float:
        """When the next pause is over, by the monotonic clock; never is infinity."""
        with self._lock:
            return self._paused[0][0] if self._paused else math.inf

    def take_all(self) -> list[SQSDelivery]:
        """All there are; no receipt is valid any longer."""
        with self._lock:
            deliveries = [*self._given.values(), *(delivery for _, _, delivery in self._paused)]
            self._given.clear()
            self._paused.clear()
            return deliveries
