"""Three real nodes, of which one and then two are killed: acknowledged events are on two disks, others are refused."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka.admin import AdminClient

from core.errors import QueueUnavailableError
from core.queues.kafka import KafkaPublisher, KafkaSource
from core.queues.kafka.address import KafkaAddress
from tests.support.builders import event
from tests.support.kafka import sooner_or_later
from tests.support.kafka_cluster import TOPIC, KafkaCluster, kafka_cluster
from tests.support.messages import receipts
from tests.support.waiting import SECONDS, until
from tests.support.workload import Workload


@pytest.fixture(scope="module")
def nodes() -> Iterator[KafkaCluster]:
    with kafka_cluster() as cluster:
        yield cluster


class Traffic(Workload):
    """Publishes batches and consumes them, from a thread each; remembers the acknowledged ones."""

    def __init__(self, url: str) -> None:
        self.acknowledged: set[int] = set()
        self.consumed: set[int] = set()
        self._url = url
        super().__init__(self._publish, self._consume)

    def goes_on(self) -> None:
        """Wait until more is acknowledged, and it is consumed."""
        wanted = len(self.acknowledged) + 100
        until(
            lambda: len(self.acknowledged) >= wanted and self.acknowledged.copy() <= self.consumed,
            shown=lambda: f"{len(self.acknowledged - self.consumed)} of {len(self.acknowledged)} are missing",
        )

    def _publish(self) -> None:
        with closing(KafkaPublisher(self._url)) as publisher:
            for start in range(0, 1_000_000, 20):
                if self.stop.wait(0.05):
                    return
                batch = range(start, start + 20)
                while not self.stop.is_set():
                    try:
                        publisher.publish([event(number, customer_id=number) for number in batch])
                    except QueueUnavailableError:
                        continue  # as a client does
                    self.acknowledged.update(batch)
                    break

    def _consume(self) -> None:
        with closing(KafkaSource(self._url)) as source:
            while not self.stop.is_set():
                try:
                    messages = source.receive(100, wait=0.2)
                except QueueUnavailableError:
                    continue
                self.consumed.update(json.loads(message.body)["customer_id"] for message in messages)
                source.delete(receipts(messages))


def test_topics_have_the_replicas_that_the_cluster_asks_for(nodes: KafkaCluster) -> None:
    with closing(KafkaPublisher(nodes.url)) as publisher:
        sooner_or_later(publisher.statistics)
    address = KafkaAddress.parse(nodes.url)
    topics = AdminClient(address.admin_settings()).list_topics(timeout=SECONDS).topics
    for name, partitions in {address.topic: 6, address.dead_letters: 1}.items():
        assert [len(each.replicas) for each in topics[name].partitions.values()] == [3] * partitions


@pytest.mark.parametrize("node", [1, 2])
def test_a_node_that_is_killed_and_loses_its_disk_takes_no_acknowledged_event(nodes: KafkaCluster, node: int) -> None:
    with Traffic(f"{nodes.url}&group.id=killed-{node}") as traffic:
        traffic.goes_on()
        nodes.kill(node)
        traffic.goes_on()
        nodes.lose_logs(node, TOPIC)
        nodes.start(node)
        nodes.wait_for(TOPIC, in_sync=3)
        traffic.goes_on()
    with closing(KafkaSource(f"{nodes.url}&group.id=reads-all-after-{node}")) as source:
        lost = set(traffic.acknowledged)

        def reads_all() -> bool:
            lost.difference_update(json.loads(each.body)["customer_id"] for each in source.receive(500, wait=0.2))
            return not lost

        until(reads_all, shown=lambda: f"{len(lost)} of {len(traffic.acknowledged)} are lost")


def test_two_killed_nodes_stop_all_acknowledgements_until_one_is_back(nodes: KafkaCluster) -> None:
    with closing(KafkaPublisher(nodes.url, timeout=2)) as publisher:
        sooner_or_later(lambda: publisher.publish([event(1)]))
        nodes.kill(1, 2)
        for _ in range(2):
            with pytest.raises(QueueUnavailableError, match=r"min\.insync\.replicas .* again later"):
                publisher.publish([event(2)])
            with pytest.raises(QueueUnavailableError):
                publisher.statistics()
        nodes.start(1)
        sooner_or_later(lambda: publisher.publish([event(3)]))
        nodes.start(2)
        nodes.wait_for(TOPIC, in_sync=3)
        publisher.publish([event(4)])
        assert sooner_or_later(publisher.statistics).partitions == 6
