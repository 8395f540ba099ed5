"""Lag of the consumer groups: messages that are not committed yet."""

import logging
import time
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition, admin
from confluent_kafka.admin import AdminClient

from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.connectivity import unavailable

if TYPE_CHECKING:
    from concurrent.futures import Future

_T = TypeVar("_T")

_UNTYPED: Final[Any] = admin
_START: Final = _UNTYPED.OffsetSpec.earliest()
_END: Final = _UNTYPED.OffsetSpec.latest()

_log: Final = logging.getLogger(__name__)


class ConsumerLag:
    """Measures lag with an admin client, which does not join the groups and is created at first use."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._starting = Lock()
        self._admin: AdminClient | None = None

    def by_topic(self, partition_counts: Mapping[str, int], deadline: float) -> dict[str, int]:
        """Return the number of uncommitted messages of each topic, given its number of partitions.

        Raises:
            QueueUnavailableError: the brokers do not answer before `deadline`, in seconds of the monotonic clock.
        """
        client = self._started()
        partitions = [
            TopicPartition(topic, number) for topic, count in partition_counts.items() for number in range(count)
        ]
        seconds = _seconds_until(deadline)
        try:
            # All requests are sent before the first response is awaited: together they take as long as the slowest.
            groups = [
                client.list_consumer_group_offsets(
                    [
                        ConsumerGroupTopicPartitions(
                            self._group(topic), [each for each in partitions if each.topic == topic]
                        )
                    ],
                    request_timeout=seconds,
                )[self._group(topic)]
                for topic in partition_counts
            ]
            starts = client.list_offsets(dict.fromkeys(partitions, _START), request_timeout=seconds)
            ends = client.list_offsets(dict.fromkeys(partitions, _END), request_timeout=seconds)
            committed = [each for group in groups for each in _result(group, deadline).topic_partitions]
            lag = dict.fromkeys(partition_counts, 0)
            for each in committed:
                partition = TopicPartition(each.topic, each.partition)
                start = _result(starts[partition], deadline).offset
                end = _result(ends[partition], deadline).offset
                lag[each.topic] += max(0, end - max(each.offset, start))  # a negative offset: nothing committed yet
        except (KafkaException, TimeoutError) as exc:
            raise unavailable() from exc
        return lag

    def _group(self, topic: str) -> str:
        return self._address.redrive_group if topic == self._address.dead_letters else self._address.group

    def _started(self) -> AdminClient:
        with self._starting:
            if self._admin is None:
                self._admin = AdminClient(self._address.admin_settings(), logger=_log)
            return self._admin


def _seconds_until(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise unavailable()
    return seconds


def _result(future: "Future[_T]", deadline: float) -> _T:
    return future.result(max(0.0, deadline - time.monotonic()))
