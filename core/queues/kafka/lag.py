"""Lag of the consumer groups: messages that are not committed yet."""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition, admin
from confluent_kafka.admin import AdminClient

from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.connectivity import unavailable

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
        self._address = address
        self._lock = Lock()
        self._admin: AdminClient | None = None
        self._consumers: dict[str, Consumer] = {}  # by topic
        self._threads = ThreadPoolExecutor(thread_name_prefix="audit-log lag")
        self._closed = False

    def by_topic(self, partition_counts: Mapping[str, int], deadline: float) -> dict[str, int]:
        """Return the number of uncommitted messages of each topic, given its number of partitions.

        Raises:
            QueueUnavailableError: the brokers do not answer before `deadline`, in seconds of the monotonic clock.
        """
        partitions = [
            TopicPartition(topic, number) for topic, count in partition_counts.items() for number in range(count)
        ]
        if not self._lock.acquire(timeout=_seconds_until(deadline)):
            raise unavailable()
        try:
            client = self._started()
            seconds = _seconds_until(deadline)
            # All requests are sent before the first response is awaited: together they take as long as the slowest.
            groups = [
                self._threads.submit(
                    self._committed, topic, [each for each in partitions if each.topic == topic], seconds
                )
                for topic in partition_counts
            ]
            starts = client.list_offsets(dict.fromkeys(partitions, _START), request_timeout=seconds)
            ends = client.list_offsets(dict.fromkeys(partitions, _END), request_timeout=seconds)
            committed = [each for group in groups for each in _result(group, deadline)]
            lag = dict.fromkeys(partition_counts, 0)
            for each in committed:
                partition = TopicPartition(each.topic, each.partition)
                start = _result(starts[partition], deadline).offset
                end = _result(ends[partition], deadline).offset
                lag[each.topic] += max(0, end - max(each.offset, start))  # a negative offset: nothing committed yet
        except (KafkaException, TimeoutError) as exc:
            raise unavailable() from exc
        finally:
            self._lock.release()
        return lag

    def close(self) -> None:
        """Disconnect permanently."""
        with self._lock:
            self._closed = True
            self._threads.shutdown()
            for consumer in self._consumers.values():
                consumer.close()

    def _committed(self, topic: str, partitions: list[TopicPartition], seconds: float) -> list[TopicPartition]:
        consumer = self._consumers[topic]
        consumer.consume(_MOST_REPORTS, timeout=0)  # serves log records and errors, which else stay in memory
        found = consumer.committed(partitions, seconds)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return found

    def _started(self) -> AdminClient:
        if self._closed:
            raise unavailable()
        if self._admin is None:
            self._admin = AdminClient(self._address.admin_settings(), logger=_log)
            groups = {self._address.topic: self._address.group, self._address.dead_letters: self._address.redrive_group}
            self._consumers = {
                topic: Consumer(self._address.consumer_settings(group), logger=_log) for topic, group in groups.items()
            }
        return self._admin


def _seconds_until(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise unavailable()
    return seconds


def _result(future: "Future[_T]", deadline: float) -> _T:
    return future.result(max(0.0, deadline - time.monotonic()))
