"""Tracks the unacknowledged messages of one Kafka consumer and the offsets to commit. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.queues.delivery_buffer import DeliveryBuffer
from core.queues.kafka.expiry import Position

Offsets = dict[int, int]
"""Offset to commit, by partition number: all messages below it are done."""


class ConsumerRecord(NamedTuple):
    """A message as read from a partition; `sent_at` is in Unix seconds."""

    offset: int
    key: bytes | None
    value: bytes
    sent_at: float
    traceparent: str | None = None


@dataclass(eq=False)
class Partition:
    """Progress in one assigned partition. A partition that is assigned again starts with a new instance."""

    number: int
    pending: dict[int, None] = field(default_factory=dict)  # offsets that are not done, in ascending order
    end: int | None = None  # the last offset read, plus one
    committing: int | None = None  # the offset committed last, or being committed
    paused: bool = True  # librdkafka keeps the state of an earlier assignment; the first `throttle` resumes it

    @property
    def done(self) -> int | None:
        """The offset below which all messages are done; None before the first message."""
        return next(iter(self.pending), self.end)


@dataclass(slots=True, eq=False)
class KafkaDelivery:
    """One message between its partition and the consumer."""

    partition: Partition
    record: ConsumerRecord
    receive_count: int = 1

    @property
    def message_id(self) -> str:
        """Partition and offset."""
        return f"{self.partition.number}-{self.record.offset}"

    @property
    def body(self) -> str:
        """The value as text."""
        return self.record.value.decode(errors="replace")

    @property
    def sent_at(self) -> float:
        """The record's timestamp, in Unix seconds."""
        return self.record.sent_at

    @property
    def traceparent(self) -> str | None:
        """The header `traceparent`, unchecked."""
        return self.record.traceparent


class KafkaDeliveryTracker(DeliveryBuffer[KafkaDelivery]):
    """Filled by the thread that polls Kafka, emptied by the thread that receives."""

    def __init__(self) -> None:
        super().__init__()
        self._partitions: dict[int, Partition] = {}

    def assign(self, numbers: Iterable[int], positions: Mapping[int, Position]) -> None:
        """Start to track partitions. Their positions, as far as they are known, say which offset comes first."""
        with self._changed:
            for number in numbers:
                start, committed = positions.get(number, (None, None))
                # Nothing was read before offset 0, and so there is nothing to commit there.
                self._partitions[number] = Partition(number, end=start, committing=committed if start else start)

    def revoke(self, numbers: Iterable[int] | None = None) -> Offsets:
        """Stop tracking these partitions, or all, and return their offsets that are ready and not committed."""
        with self._changed:
            revoked = self._partitions.keys() if numbers is None else self._partitions.keys() & set(numbers)
            gone = [self._partitions.pop(number) for number in list(revoked)]
            self._discard(lambda delivery: delivery.partition in gone)
            return _take_uncommitted(gone)

    def add(self, number: int, records: Sequence[ConsumerRecord]) -> range:
        """Add records that were read from a partition; they are ignored if it is no longer assigned.

        Returns the offsets between the last record and these, which were not delivered; usually none.
        """
        with self._changed:
            if (partition := self._partitions.get(number)) is None:
                return range(0)
            if partition.end is None:
                partition.committing = partition.end = records[0].offset  # reading started at the committed offset
            gap = range(partition.end, records[0].offset)
            for record in records:
                partition.pending[record.offset] = None
                partition.end = record.offset + 1
            self._append(KafkaDelivery(partition, record) for record in records)
            return gap

    def schedule_retry(self, deliveries: Sequence[KafkaDelivery], delay: float, *, counted: bool = False) -> None:
        """Make deliveries available again in `delay` seconds, except those of partitions that were revoked."""
        with self._changed:
            assigned = [each for each in deliveries if self._partitions.get(each.partition.number) is each.partition]
            for delivery in assigned:
                delivery.receive_count += counted
            super().schedule_retry(assigned, delay)

    def settle(self, deliveries: Iterable[KafkaDelivery]) -> None:
        """Mark messages as done."""
        with self._changed:
            for delivery in deliveries:
                delivery.partition.pending.pop(delivery.record.offset, None)

    def throttle(self, limit: int) -> tuple[list[int], list[int]]:
        """Return the partitions to pause, which have `limit` pending messages or more, and those to resume."""
        with self._changed:
            pause = [each for each in self._partitions.values() if not each.paused and len(each.pending) >= limit]
            resume = [each for each in self._partitions.values() if each.paused and len(each.pending) <= limit // 2]
            for each in pause + resume:
                each.paused = not each.paused
            return [each.number for each in pause], [each.number for each in resume]

    def any_paused(self) -> bool:
        """Whether a partition is paused."""
        with self._changed:
            return any(each.paused for each in self._partitions.values())

    def to_commit(self) -> Offsets:
        """Return the offsets that became ready since the last call, and those of a failed commit."""
        with self._changed:
            return _take_uncommitted(self._partitions.values())

    def commit_failed(self, numbers: Iterable[int]) -> None:
        """Include these partitions in the next commit again."""
        with self._changed:
            for number in numbers:
                if partition := self._partitions.get(number):
                    partition.committing = None


def _take_uncommitted(partitions: Iterable[Partition]) -> Offsets:
    offsets = {each.number: each.done for each in partitions if each.done is not None and each.done != each.committing}
    for each in partitions:
        each.committing = each.done
    return offsets
