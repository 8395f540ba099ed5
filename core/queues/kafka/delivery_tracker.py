"""What was read from the partitions of one consumer and is not done: the half of a consumer without the network."""

import heapq
import itertools
import secrets
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import NamedTuple

from core.ports.queue import Message

Offsets = dict[int, int]
"""By partition: all messages below this offset are done."""


class ConsumerRecord(NamedTuple):
    """A message as read; `sent_at` is in Unix seconds."""

    offset: int
    key: bytes | None
    value: bytes
    sent_at: float
    traceparent: str | None = None


@dataclass(eq=False)
class Partition:
    """What is known of a partition for as long as it is assigned: another time makes another of these."""

    number: int
    pending: dict[int, None] = field(default_factory=dict)  # offsets, in their order
    end: int | None = None  # one above the last offset that was read
    committing: int | None = None  # what was committed, or is being
    paused: bool = True  # as one may come back that was paused before it went: the first `throttle` resumes it

    @property
    def done(self) -> int | None:
        """All messages below this offset are done; None: nothing was read yet."""
        return next(iter(self.pending), self.end)


@dataclass(slots=True, eq=False)
class KafkaDelivery:
    """One message on its way through here."""

    partition: Partition
    read: ConsumerRecord
    receive_count: int = 1


class KafkaDeliveryTracker:
    """Filled by the thread that reads and emptied by the one that receives."""

    def __init__(self) -> None:
        self._id = secrets.token_hex(8)  # a receipt must not fit that of another consumer
        self._numbers = itertools.count(1)
        self._changed = Condition()
        self._partitions: dict[int, Partition] = {}
        self._waiting: deque[KafkaDelivery] = deque()
        self._held: list[tuple[float, int, KafkaDelivery]] = []
        self._received: dict[str, KafkaDelivery] = {}

    def assign(self, numbers: Iterable[int]) -> None:
        """These partitions are read from now on."""
        with self._changed:
            self._partitions |= {number: Partition(number) for number in numbers}

    def revoke(self, numbers: Iterable[int] | None = None) -> Offsets:
        """These partitions, or all, are another's from now on; what was done in them since the last commit."""
        with self._changed:
            going = self._partitions.keys() if numbers is None else self._partitions.keys() & set(numbers)
            gone = [self._partitions.pop(number) for number in list(going)]
            self._waiting = deque(each for each in self._waiting if each.partition not in gone)
            self._held = [each for each in self._held if each[2].partition not in gone]
            heapq.heapify(self._held)
            self._received = {receipt: each for receipt, each in self._received.items() if each.partition not in gone}
            return _newly_done(gone)

    def add(self, number: int, messages: Sequence[ConsumerRecord]) -> None:
        """Take in what was read of a partition."""
        with self._changed:
            if (partition := self._partitions.get(number)) is None:
                return
            if partition.end is None:
                partition.committing = messages[0].offset  # or it would not have begun there
            for message in messages:
                partition.pending[message.offset] = None
                partition.end = message.offset + 1
                self._waiting.append(KafkaDelivery(partition, message))
            self._changed.notify_all()

    def take(self, max_messages: int, wait: float, window: float) -> list[Message]:
        """See `EventSource.receive`."""
        with self._changed:
            if self._wait_for(1, wait):
                self._wait_for(max_messages, window)
            taken = [self._waiting.popleft() for _ in range(min(max_messages, len(self._waiting)))]
            return [self._message(delivery) for delivery in taken]

    def release(self, receipt_handles: Iterable[str]) -> list[KafkaDelivery]:
        """The messages of these receipts, which are valid no longer; a receipt that is not valid counts for nothing."""
        with self._changed:
            return [
                delivery for receipt in receipt_handles if (delivery := self._received.pop(receipt, None)) is not None
            ]

    def hold(self, deliveries: Sequence[KafkaDelivery], delay: float, *, counted: bool) -> None:
        """Let messages be taken again in `delay` seconds."""
        due = time.monotonic() + delay
        with self._changed:
            for delivery in deliveries:
                if self._partitions.get(delivery.partition.number) is delivery.partition:
                    delivery.receive_count += counted
                    heapq.heappush(self._held, (due, next(self._numbers), delivery))
            self._changed.notify_all()

    def settle(self, deliveries: Iterable[KafkaDelivery]) -> None:
        """Forget messages."""
        with self._changed:
            for delivery in deliveries:
                delivery.partition.pending.pop(delivery.read.offset, None)

    def throttle(self, limit: int) -> tuple[list[int], list[int]]:
        """Which partitions not to read for now, since so many of their messages are not done, and which again."""
        with self._changed:
            pause = [each for each in self._partitions.values() if not each.paused and len(each.pending) >= limit]
            resume = [each for each in self._partitions.values() if each.paused and len(each.pending) <= limit // 2]
            for each in pause + resume:
                each.paused = not each.paused
            return [each.number for each in pause], [each.number for each in resume]

    def any_paused(self) -> bool:
        """Whether any partition is not read for now."""
        with self._changed:
            return any(each.paused for each in self._partitions.values())

    def to_commit(self) -> Offsets:
        """What was done since this was called last, or its commit failed."""
        with self._changed:
            return _newly_done(self._partitions.values())

    def commit_failed(self, numbers: Iterable[int]) -> None:
        """Let what is done in these partitions be committed again."""
        with self._changed:
            for number in numbers:
                if partition := self._partitions.get(number):
                    partition.committing = None

    def _message(self, delivery: KafkaDelivery) -> Message:
        receipt = f"{self._id}.{next(self._numbers)}"
        self._received[receipt] = delivery
        return Message(
            message_id=f"{delivery.partition.number}-{delivery.read.offset}",
            receipt_handle=receipt,
            body=delivery.read.value.decode(errors="replace"),
            receive_count=delivery.receive_count,
            sent_at=delivery.read.sent_at,
            traceparent=delivery.read.traceparent,
        )

    def _wait_for(self, count: int, seconds: float) -> bool:
        """Wait until so many messages can be taken, those among them whose delay ends meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            while self._held and self._held[0][0] <= now:
                self._waiting.appendleft(heapq.heappop(self._held)[2])
            if len(self._waiting) >= count or now >= deadline:
                return len(self._waiting) >= count
            self._changed.wait(min(deadline, self._held[0][0] if self._held else deadline) - now)


def _newly_done(partitions: Iterable[Partition]) -> Offsets:
    offsets = {each.number: each.done for each in partitions if each.done is not None and each.done != each.committing}
    for each in partitions:
        each.committing = each.done
    return offsets
