"""How far consumer groups are behind."""

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
_FIRST: Final = _UNTYPED.OffsetSpec.earliest()
_NEXT: Final = _UNTYPED.OffsetSpec.latest()

_log: Final = logging.getLogger(__name__)


class ConsumerLag:
    """Asks as an outsider, not as a member of the groups, by one client that is made at first use and kept."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._starting = Lock()
        self._admin: AdminClient | None = None

    def behind(self, topics: Mapping[str, int], deadline: float) -> dict[str, int]:
        """By topic: how many messages its group has not committed. `topics` tells how many partitions each has.

        Raises:
            QueueUnavailableError: the brokers do not answer before `deadline`, which is of `time.monotonic`.
        """
        client = self._started()
        asked = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]
        seconds = _left(deadline)
        try:
            # All are asked at once, so that together they take as long as the slowest.
            groups = [
                client.list_consumer_group_offsets(
                    [ConsumerGroupTopicPartitions(self._group(topic), [each for each in asked if each.topic == topic])],
                    request_timeout=seconds,
                )[self._group(topic)]
                for topic in topics
            ]
            firsts = client.list_offsets(dict.fromkeys(asked, _FIRST), request_timeout=seconds)
            nexts = client.list_offsets(dict.fromkeys(asked, _NEXT), request_timeout=seconds)
            committed = [each for group in groups for each in _answer(group, deadline).topic_partitions]
            behind = dict.fromkeys(topics, 0)
            for each in committed:
                place = TopicPartition(each.topic, each.partition)
                first = _answer(firsts[place], deadline).offset
                following = _answer(nexts[place], deadline).offset
                behind[each.topic] += max(0, following - max(each.offset, first))  # negative: nothing was committed
        except (KafkaException, TimeoutError) as exc:
            raise unavailable() from exc
        return behind

    def _group(self, topic: str) -> str:
        return self._address.redrive_group if topic == self._address.dead_letters else self._address.group

    def _started(self) -> AdminClient:
        with self._starting:
            if self._admin is None:
                self._admin = AdminClient(self._address.admin_settings(), logger=_log)
            return self._admin


def _left(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise unavailable()
    return seconds


def _answer(future: "Future[_T]", deadline: float) -> _T:
    return future.result(max(0.0, deadline - time.monotonic()))
