"""The two topics, made by whoever comes first if the cluster lets it."""

from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from core.errors import QueueUnavailableError
from core.queues.kafka.address import KafkaAddress

PARTITIONS: Final = 6
"""Of the topic of the events: as many consumers of one group can work at once. The dead letters have one partition,
which keeps them in order."""

_BROKERS_DEFAULT: Final = -1  # of the replication factor; needs Kafka 2.4 or later (KIP-464)


class TopicLister(Protocol):
    """Any of librdkafka's clients."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """Ask for the topics of the cluster."""


def partition_counts(client: TopicLister, timeout: float) -> dict[str, int]:
    """How many partitions each topic has. All are listed, since to ask for one would make it on some clusters.

    Raises:
        KafkaException: no broker answers.
    """
    topics = client.list_topics(timeout=timeout).topics
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def ensure_topics(client: TopicLister, address: KafkaAddress, timeout: float) -> None:
    """Make the topics that are missing. One that is there stays as it is.

    Raises:
        KafkaException: no broker answers.
        QueueUnavailableError: a topic is missing and may not be made.
    """
    there = partition_counts(client, timeout)
    missing = {address.topic: PARTITIONS, address.dead_letters: 1}.keys() - there.keys()
    if not missing:
        return
    wanted = [
        NewTopic(name, 1 if name == address.dead_letters else PARTITIONS, _BROKERS_DEFAULT) for name in sorted(missing)
    ]
    admin = AdminClient(address.admin_settings())
    for name, made in admin.create_topics(wanted, request_timeout=timeout).items():
        try:
            made.result()
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise QueueUnavailableError(
                    f"Kafka has no topic {name} and does not make it when asked: create {address.topic} with as many"
                    f" partitions as consumers may work at once, and {address.dead_letters} with one."
                ) from exc
