"""Puts events into Kafka, and returns when the brokers have them."""

import time
from collections.abc import Sequence
from typing import Final

from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT
from core.errors import QueueUnavailableError
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.lag import ConsumerLag
from core.queues.kafka.producer import ConfirmedProducer, ProducerRecord

PUBLISH_SECONDS: Final = 5.0
"""librdkafka tries again by itself, so a broker that is back within this time goes unnoticed."""


class KafkaPublisher:
    """Implements `EventPublisher` and `Check`. Safe to use from several threads; connects at first use.

    The key is the customer, so that the events of one customer stay in the order in which they were published.
    """

    def __init__(self, url: str, *, timeout: float = PUBLISH_SECONDS) -> None:
        """`url` as in `KafkaAddress`; `timeout` bounds each publish, in seconds.

        Raises:
            InvalidSettingsError: the URL is not one of a Kafka queue.
        """
        self._address = KafkaAddress.parse(url)
        self._timeout = timeout
        self._lag = ConsumerLag(self._address)
        self._producer = ConfirmedProducer(self._address, "audit-log publisher", timeout)

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`."""
        topic = self._address.topic
        headers = [(TRACEPARENT, traceparent)] if traceparent else []
        self._producer.send(
            [ProducerRecord(topic, str(event.customer_id).encode(), event.to_json(), headers) for event in events]
        )

    def check(self) -> dict[str, object]:
        """Implements `Check`: a broker answers and has the topics; how many messages wait and were given up.

        The whole of it takes no longer than a publish may.
        """
        address, deadline = self._address, time.monotonic() + self._timeout
        there = self._producer.partitions(self._timeout)
        for topic in (address.topic, address.dead_letters):
            if topic not in there:
                raise QueueUnavailableError(f"Kafka has no topic {topic}: create it, or restart the service.")
        behind = self._lag.behind({topic: there[topic] for topic in (address.topic, address.dead_letters)}, deadline)
        return {
            "waiting": behind[address.topic],
            "dead_letters": behind[address.dead_letters],
            "partitions": there[address.topic],
        }

    def close(self) -> None:
        """Wait for what is on its way, and disconnect, for good."""
        self._producer.close()
