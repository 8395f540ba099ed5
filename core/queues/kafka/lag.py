"""Lag of the consumer groups: messages that are not committed yet."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition, admin
from confluent_kafka.admin import AdminClient

from core.errors import QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.connectivity import unavailable
from core.queues.kafka.topics import partition_counts

if TYPE_CHECKING:
    from concurrent.futures import Future

_T = TypeVar("_T")

_UNTYPED: Final[Any] = admin
_START: Final = _UNTYPED.OffsetSpec.earliest()
_END: Final = _UNTYPED.OffsetSpec.latest()

_MOST_REPORTS: Final = 1000

_log: Final = logging.getLogger(__name__)


class ConsumerLag:
    """Measures lag without joining the groups. Thread-safe; connects at first use.

    The offsets of logs are asked for by an admin client, the committed ones by a consumer of each group that subscribes
    to nothing: `AdminClient.list_consumer_group_offsets` ends the process by a segmentation fault when the broker that
    is asked does not coordinate the group any more or yet (librdkafka issue 5040, in all versions up to 2.16.1).
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._topics: Final = (address.topic, address.dead_letters)
        self._address = address
        self._lock = Lock()
        self._closed = False
        self._admin: AdminClient | None = None
        self._consumers: list[Consumer] = []  # as in `_topics`
        self._threads = ThreadPoolExecutor(len(self._topics), "audit-log lag")

    def statistics(self, deadline: float) -> QueueStatistics:
        """Return the number of uncommitted messages of both topics, and of partitions.

        Raises:
            QueueUnavailableError: a topic does not exist, a partition has no leader, or the brokers do not answer
                before `deadline`, in seconds of the monotonic clock.
        """
        if not self._lock.acquire(timeout=_seconds_until(deadline)):
            raise unavailable()
        try:
            client = self._started()
            # In this client: it asks the leaders that it knows, and looks for new ones every five minutes only.
            counts = partition_counts(client, _seconds_until(deadline))
            waiting, dead_letters = self._lag(client, counts, deadline)
        except (KafkaException, TimeoutError) as exc:
            raise unavailable() from exc
        finally:
            self._lock.release()
        return QueueStatistics(waiting=waiting, dead_letters=dead_letters, partitions=counts[self._address.topic])

    def close(self) -> None:
        """Disconnect permanently."""
        with self._lock:
            self._closed = True
            self._threads.shutdown()
            for consumer in self._consumers:
                consumer.close()

    def _lag(self, client: AdminClient, counts: dict[str, int], deadline: float) -> list[int]:
        for topic in self._topics:
            if topic not in counts:
                raise QueueUnavailableError(f"Kafka has no topic {topic}: create it, or restart the service.")
        partitions = [[TopicPartition(topic, number) for number in range(counts[topic])] for topic in self._topics]
        seconds = _seconds_until(deadline)
        # All requests are sent before the first response is awaited: together they take as long as the slowest.
        groups = [
            self._threads.submit(_committed, consumer, its_partitions, seconds)
            for consumer, its_partitions in zip(self._consumers, partitions, strict=True)
        ]
        every = [partition for its_partitions in partitions for partition in its_partitions]
        starts = client.list_offsets(dict.fromkeys(every, _START), request_timeout=seconds)
        ends = client.list_offsets(dict.fromkeys(every, _END), request_timeout=seconds)

        def lag(partition: TopicPartition) -> int:
            key = TopicPartition(partition.topic, partition.partition)
            start, end = (_result(offsets[key], deadline).offset for offsets in (starts, ends))
            if min(start, end) < 0:  # the leader did not answer
                raise unavailable()
            return max(0, int(end) - max(partition.offset, int(start)))  # a negative offset: nothing committed yet

        return [sum(lag(partition) for partition in _result(group, deadline)) for group in groups]

    def _started(self) -> AdminClient:
        if self._closed:
            raise unavailable()
        if self._admin is None:
            self._admin = AdminClient(self._address.admin_settings(), logger=_log)
            self._consumers = [
                Consumer(self._address.consumer_settings(group), logger=_log)
                for group in (self._address.group, self._address.redrive_group)
            ]
        return self._admin


def _committed(consumer: Consumer, partitions: list[TopicPartition], seconds: float) -> list[TopicPartition]:
    consumer.consume(_MOST_REPORTS, timeout=0)  # serves log records and errors, which else stay in memory
    found = consumer.committed(partitions, seconds)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return found


def _seconds_until(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise unavailable()
    return seconds


def _result(future: "Future[_T]", deadline: float) -> _T:
    return future.result(max(0.0, deadline - time.monotonic()))
