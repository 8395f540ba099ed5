"""Puts events into RabbitMQ, and returns when the broker has them."""

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
from core.queues.rabbitmq.address import RabbitMQAddress
from core.queues.rabbitmq.connection import RabbitMQConnection

PUBLISH_SECONDS: Final = 10.0

_PERSISTENT: Final = 2


class RabbitMQPublisher:
    """Implements `EventPublisher` and `Check`. Safe to use from several threads; connects at first use."""

    def __init__(self, url: str, *, timeout: float = PUBLISH_SECONDS) -> None:
        """`url` as in `RabbitMQAddress`; `timeout` bounds each publish, in seconds.

        Raises:
            InvalidSettingsError: the URL is not one of a RabbitMQ queue.
        """
        self._connection = RabbitMQConnection(RabbitMQAddress.parse(url), "audit-log publisher", timeout)

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`."""
        bodies = [(event.event_id, event.to_json()) for event in events]
        self._connection.run(lambda: self._publish(bodies, traceparent))

    def check(self) -> dict[str, object]:
        """Implements `Check`: RabbitMQ is reached; how many messages wait, and how many were given up."""
        address = self._connection.address
        waiting, dead_letters = self._connection.run(lambda: self._lengths(address.queue, address.dead_letters))
        return {"waiting": waiting, "dead_letters": dead_letters}

    def close(self) -> None:
        """Disconnect, for good."""
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
    """What goes with the message of an event. Its id begins with the event's, which may have been sent twice."""
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
    """Publish all messages at once, and wait until the broker has confirmed each.

    Raises:
        QueueFullError: the broker refuses some, since the queue is at its bound.
        QueueUnavailableError: the queue is not there, or the connection was lost.
    """
    results = await asyncio.gather(
        *(
            channel.basic_publish(  # type: ignore[call-arg]  # its abstract class has no `wait`
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
            raise QueueUnavailableError("RabbitMQ did not take all events: send them again.") from failure
    raise QueueFullError("The queue is full: send the same request again after Retry-After seconds.") from failures[0]
