"""Publishes events to Kafka."""

import time
from collections.abc import Sequence
from typing import Final

from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT
from core.ports.queue import QueueStatistics
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.lag import ConsumerLag
from core.queues.kafka.producer import ConfirmedProducer, ProducerRecord

PUBLISH_SECONDS: Final = 5.0
"""Time limit of a publish. librdkafka retries, so an outage that is shorter than this goes unnoticed."""


class KafkaPublisher:
    """Implements `EventPublisher` and `QueueMonitor`. Safe to use from several threads; connects at first use.

    The message key is the customer, so that the events of one customer keep the order in which they were published.
    """

    def __init__(self, url: str, *, timeout: float = PUBLISH_SECONDS) -> None:
        """Parse `url` (see `KafkaAddress`). `timeout` limits each publish, in seconds.

        Raises:
            InvalidSettingsError: not the URL of a Kafka queue.
        """
        self._address = KafkaAddress.parse(url)
        self._timeout = timeout
        self._lag = ConsumerLag(self._address)
        self._producer = ConfirmedProducer(self._address, "audit-log publisher", timeout)

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """Implement `EventPublisher.publish`."""
        topic = self._address.topic
        headers = [(TRACEPARENT, traceparent)] if traceparent else []
        self._producer.send(
            [ProducerRecord(topic, str(event.customer_id).encode(), event.to_json(), headers) for event in events]
        )

    def statistics(self) -> QueueStatistics:
        """Implement `QueueMonitor`: lag of both topics, and the number of partitions.

        Takes no longer than a publish may.
        """
        deadline = time.monotonic() + self._timeout
        self._producer.wait_until_reachable(self._timeout)
        return self._lag.statistics(deadline)

    def close(self) -> None:
        """Wait for unconfirmed messages and disconnect permanently."""
        self._producer.close()
        self._lag.close()
