"""Puts events into Kafka, and returns when the brokers have them."""

from collections.abc import Sequence
from typing import Final

from core.errors import QueueUnavailableError
from core.models import Event
from core.queues.kafka.address import Address
from core.queues.kafka.lag import behind
from core.queues.kafka.producer import ConfirmedProducer, Record

PUBLISH_SECONDS: Final = 5.0
"""librdkafka tries again by itself, so a broker that is back within this time goes unnoticed."""


class KafkaPublisher:
    """Implements `EventPublisher` and `Check`. Safe to use from several threads; connects at first use.

    The key is the customer, so that the events of one customer stay in the order in which they were published.
    """

    def __init__(self, url: str, *, timeout: float = PUBLISH_SECONDS) -> None:
        """`url` as in `Address`; `timeout` bounds each publish, in seconds.

        Raises:
            InvalidSettingsError: the URL is not one of a Kafka queue.
        """
        self._address = Address.parse(url)
        self._timeout = timeout
        self._producer = ConfirmedProducer(self._address, "audit-log publisher", timeout)

    def publish(self, events: Sequence[Event]) -> None:
        """See `EventPublisher.publish`."""
        topic = self._address.topic
        self._producer.send([Record(topic, str(event.customer_id).encode(), event.to_json()) for event in events])

    def check(self) -> dict[str, object]:
        """Implements `Check`: a broker answers and has the topics; how many messages wait and were given up."""
        address = self._address
        there = self._producer.partitions(self._timeout)
        for topic in (address.topic, address.dead_letters):
            if topic not in there:
                raise QueueUnavailableError(f"Kafka has no topic {topic}: create it, or restart the service.")

        def waiting(topic: str, group: str) -> int:
            return behind(address, topic, group, there[topic], self._timeout)

        return {
            "waiting": waiting(address.topic, address.group),
            "dead_letters": waiting(address.dead_letters, address.redrive_group),
            "partitions": there[address.topic],
        }

    def close(self) -> None:
        """Wait for what is on its way, and disconnect, for good."""
        self._producer.close()
