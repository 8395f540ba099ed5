"""Publishes events to RabbitMQ."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import aiormq
from aiormq.abc import AbstractChannel

from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT
from core.errors import QueueFullError, QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.queues.rabbitmq.address import RabbitMQAddress
from core.queues.rabbitmq.connection import RabbitMQConnection

PUBLISH_SECONDS: Final = 10.0

_PERSISTENT: Final = 2


class RabbitMQPublisher:
    """Implements `EventPublisher` and `QueueMonitor`. Safe to use from several threads; connects at first use."""

    def __init__(self, url: str, *, timeout: float = PUBLISH_SECONDS) -> None:
        """Parse `url` (see `RabbitMQAddress`). `timeout` limits each publish, in seconds.

        Raises:
            InvalidSettingsError: not the URL of a RabbitMQ queue.
        """
        self._connection = RabbitMQConnection(RabbitMQAddress.parse(url), "audit-log publisher", timeout)

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """Implement `EventPublisher.publish`. Returns once the broker has confirmed every event."""
        bodies = [(event.event_id, event.to_json()) for event in events]
        self._connection.run(lambda: self._publish(bodies, traceparent))

    def statistics(self) -> QueueStatistics:
        """Implement `QueueMonitor`: the lengths of both queues."""
        address = self._connection.address
        waiting, dead_letters = self._connection.run(lambda: self._lengths(address.queue, address.dead_letters))
        return QueueStatistics(waiting, dead_letters=dead_letters)

    def close(self) -> None:
        """Disconnect permanently."""
        self._connection.close()

    async def _publish(self, bodies: Sequence[tuple[str, bytes]], traceparent: str | None) -> None:
        channel = await self._connection.channel()
        messages = [(body, message_properties(event_id, traceparent)) for event_id, body in bodies]
        await publish_all(channel, self._connection.address.queue, messages)

    async def _lengths(self, *queues: str) -> list[int]:
        channel = await self._connection.new_channel()
        lengths = [(await channel.queue_declare(queue, passive=True)).message_count or 0 for queue in queues]
        await channel.close()
        return lengths


def message_properties(event_id: str, traceparent: str | None = None) -> aiormq.spec.Basic.Properties:
    """Build the properties of an event's message. A random suffix makes its id unique if an event is sent twice."""
    return aiormq.spec.Basic.Properties(
        content_type="application/json",
        delivery_mode=_PERSISTENT,
        message_id=f"{event_id}.{secrets.token_hex(4)}",
        timestamp=datetime.now(UTC),
        headers={TRACEPARENT: traceparent} if traceparent else None,
    )


async def publish_all(
    channel: AbstractChannel, queue: str, messages: Sequence[tuple[bytes, aiormq.spec.Basic.Properties]]
) -> None:
    """Publish all messages without waiting in between, and wait until the broker has confirmed each of them.

    Raises:
        QueueFullError: the broker refuses some because the queue is at its limit.
        QueueUnavailableError: the queue does not exist, or the connection was lost.
    """
    results = await asyncio.gather(
        *(
            channel.basic_publish(  # type: ignore[call-arg]  # the abstract class lacks `wait`
                body, routing_key=queue, properties=properties, mandatory=True, wait=False
            )
            for body, properties in messages
        ),
        return_exceptions=True,
    )
    failures = [result for result in results if isinstance(result, BaseException)]
    if not failures:
        return
    for failure in failures:
        if not isinstance(failure, aiormq.DeliveryError) or isinstance(failure, aiormq.PublishError):
            raise QueueUnavailableError("RabbitMQ did not confirm all events: send them again.") from failure
    raise QueueFullError("The queue is full: send the same request again after Retry-After seconds.") from failures[0]
