"""How far a consumer group is behind."""

from contextlib import closing

from confluent_kafka import Consumer, KafkaException, TopicPartition

from core.queues.kafka.address import Address
from core.queues.kafka.reach import unavailable


def behind(address: Address, topic: str, group: str, partitions: int, timeout: float) -> int:
    """How many messages of `topic` the group has not committed, asked without becoming a member of it.

    Raises:
        QueueUnavailableError: no broker answers within `timeout` seconds.
    """
    asked = [TopicPartition(topic, number) for number in range(partitions)]
    try:
        with closing(Consumer(address.consumer_settings(group))) as consumer:
            return sum(_left(consumer, each, timeout) for each in consumer.committed(asked, timeout))
    except KafkaException as exc:
        raise unavailable() from exc


def _left(consumer: Consumer, committed: TopicPartition, timeout: float) -> int:
    first, following = consumer.get_watermark_offsets(TopicPartition(committed.topic, committed.partition), timeout)
    return max(0, int(following) - max(committed.offset, int(first)))  # negative: nothing was committed yet
