"""Detection of messages that the retention of the topic deleted before a worker had read them.

librdkafka continues at the oldest message that is left (`auto.offset.reset=earliest`) and says nothing.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

ASK_SECONDS: Final = 1.0
"""Time limit of each request. Without an answer a partition has no position, and its first message none to miss."""

_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """Where reading a partition begins: `start`, and the offset that the group has committed, None if there is none."""

    start: int
    committed: int | None


def read_positions(consumer: Consumer, topic: str, numbers: Iterable[int]) -> dict[int, Position]:
    """Return the positions of partitions that were just assigned, and report what the group can no longer read there.

    A group without a committed offset has read nothing, so that it misses every message that is gone.
    """
    partitions = [TopicPartition(topic, number) for number in numbers]
    positions: dict[int, Position] = {}
    with suppress(KafkaException):
        for each in consumer.committed(partitions, timeout=ASK_SECONDS):
            committed = each.offset if each.offset >= 0 else None
            first, _ = consumer.get_watermark_offsets(each, timeout=ASK_SECONDS)
            positions[each.partition] = Position(max(committed or 0, first), committed)
            _report(each.partition, committed or 0, first)
    return positions


def report_gap(consumer: Consumer, topic: str, number: int, gap: range) -> None:
    """Report that offsets were not delivered, if retention deleted them; others are markers of transactions."""
    try:
        first, _ = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ASK_SECONDS)
    except KafkaException:
        first = gap.stop
    _report(number, gap.start, min(first, gap.stop))


def _report(number: int, expected: int, first: int) -> None:
    if first > expected:
        _log.error(
            "kafka_messages_expired",
            extra={
                "partition": number,
                "messages": first - expected,
                "from_offset": expected,
                "to_offset": first,
                "action": "Events are lost: raise the retention of the topic, and run more workers. "
                "`audit-log reconcile` counts the accepted events that are not stored.",
            },
        )
