"""Creation of the two topics, by the first process that needs them."""

import logging
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from core.errors import QueueUnavailableError
from core.queues.kafka.address import KafkaAddress

PARTITIONS: Final = 6
"""Number of partitions of the events' topic, and so the limit of workers in parallel. The dead letters have one
partition, which keeps them in order."""

_DEFAULT_REPLICATION: Final = -1  # the brokers decide; needs Kafka 2.4 or later (KIP-464)

_log = logging.getLogger(__name__)


class TopicLister(Protocol):
    """Any of librdkafka's clients: producer, consumer or admin client."""

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        """Return the metadata of the cluster."""


def partition_counts(client: TopicLister, timeout: float) -> dict[str, int]:
    """Return the number of partitions of each topic. Lists all, because asking for one creates it on some clusters.

    Raises:
        KafkaException: no broker answers.
    """
    topics = client.list_topics(timeout=timeout).topics
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def ensure_topics(client: TopicLister, address: KafkaAddress, timeout: float) -> None:
    """Create the topics that do not exist yet.

    Raises:
        KafkaException: no broker answers.
        QueueUnavailableError: a topic does not exist and the cluster refuses to create it.
    """
    existing = partition_counts(client, timeout)
    missing = [
        NewTopic(name, count, _DEFAULT_REPLICATION)
        for name, count in {address.topic: PARTITIONS, address.dead_letters: 1}.items()
        if name not in existing
    ]
    if not missing:
        return
    admin = AdminClient(address.admin_settings(), logger=_log)
    for name, creation in admin.create_topics(missing, request_timeout=timeout).items():
        try:
            creation.result()
        except KafkaException as exc:
            if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise QueueUnavailableError(
                    f"Kafka has no topic {name} and refuses to create it: create {address.topic} with as many"
                    f" partitions as workers may run in parallel, and {address.dead_letters} with one."
                ) from exc
