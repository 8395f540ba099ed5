"""Takes events out of RabbitMQ, which pushes them ahead of the asking."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aiormq.abc import AbstractChannel, DeliveredMessage

from core.domain.traceparent import TRACEPARENT
from core.ports.queue import Message
from core.queues.rabbitmq.address import RabbitMQAddress
from core.queues.rabbitmq.connection import RabbitMQConnection
from core.queues.rabbitmq.delivery_tracker import RabbitMQDelivery, RabbitMQDeliveryTracker

BROKER_SECONDS: Final = 10.0


@dataclass(frozen=True)
class _Consumer:
    channel: AbstractChannel
    deliveries: RabbitMQDeliveryTracker
    # "All up to this one" must not reach the broker before what was said of an earlier one.
    settling: asyncio.Lock = field(default_factory=asyncio.Lock)


class RabbitMQSource:
    """Implements `EventSource`, for one thread that receives. Connects at first use, and again when it has to.

    A message that waits for its retry stays here, unacknowledged, so that it counts towards `prefetch`: that many
    failing messages at once hold up the others until the first of them goes back. A receipt ends with the receive it is
    of, with `delete` and `retry_after`, and with the connection.
    """

    def __init__(self, url: str, *, prefetch: int = 2000, max_receives: int = 5) -> None:
        """`url` as in `RabbitMQAddress`; at most `prefetch` messages are in memory here.

        Raises:
            InvalidSettingsError: the URL is not one of a RabbitMQ queue.
        """
        self._connection = RabbitMQConnection(RabbitMQAddress.parse(url), "audit-log consumer", BROKER_SECONDS)
        self._prefetch: Final = prefetch
        self._max_receives: Final = max_receives
        self._consumer: _Consumer | None = None

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """See `EventSource.receive`."""
        consumer = self._consumer
        if consumer is None or consumer.deliveries.lost:
            consumer = self._consumer = self._connection.run(self._consume)
        return consumer.deliveries.take(max_messages, wait, window)

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """See `EventSource.delete`. An acknowledgement that is lost on its way means that its message comes again."""
        if (consumer := self._consumer) is None:
            return
        deliveries = consumer.deliveries.release(receipt_handles)
        if deliveries:
            self._connection.run(lambda: self._acknowledge(consumer, deliveries))

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """See `EventSource.retry_after`."""
        if (consumer := self._consumer) is None:
            return
        deliveries = consumer.deliveries.release(receipt_handles)
        if not counted:
            self._connection.spawn(lambda: self._put_back(consumer, deliveries), delay)
            return
        exhausted = [delivery for delivery in deliveries if delivery.receive_count >= self._max_receives]
        retried = [delivery for delivery in deliveries if delivery.receive_count < self._max_receives]
        if exhausted:
            self._connection.run(lambda: self._reject(consumer, exhausted, requeue=False))
        if retried:
            self._connection.spawn(lambda: self._reject(consumer, retried, requeue=True), delay)

    def close(self) -> None:
        """Disconnect, for good: the broker gives what was not deleted to another consumer at once."""
        self._connection.close()

    async def _consume(self) -> _Consumer:
        channel = await self._connection.new_channel()
        deliveries = RabbitMQDeliveryTracker()

        async def on_delivery(message: DeliveredMessage) -> None:
            deliveries.add(_delivery(message))

        def on_cancel(_frame: object) -> None:
            # The queue was deleted, or is not available; from 4.3 on also: a message was held for too long.
            self._connection.spawn(channel.close)

        channel.closing.add_done_callback(lambda _: deliveries.lose())
        channel.on_consumer_cancel_callbacks.add(on_cancel)
        await channel.basic_qos(prefetch_count=self._prefetch)
        await channel.basic_consume(self._connection.address.queue, on_delivery)
        return _Consumer(channel, deliveries)

    @staticmethod
    async def _acknowledge(consumer: _Consumer, deliveries: Sequence[RabbitMQDelivery]) -> None:
        async with consumer.settling:
            acknowledgements = consumer.deliveries.settle(deliveries)
            for each in acknowledgements:
                last = each is acknowledgements[-1]  # once it is written, all are
                await consumer.channel.basic_ack(each.tag, multiple=each.multiple, wait=last)

    @staticmethod
    async def _reject(consumer: _Consumer, deliveries: Sequence[RabbitMQDelivery], *, requeue: bool) -> None:
        """Give messages back to the broker, or up.

        By basic.reject and not basic.nack, which no longer counts as a delivery from RabbitMQ 4.3 on:
        https://www.rabbitmq.com/docs/4.3/nack
        """
        async with consumer.settling:
            consumer.deliveries.settle(deliveries)
            for delivery in deliveries:
                await consumer.channel.basic_reject(delivery.tag, requeue=requeue, wait=delivery is deliveries[-1])

    @staticmethod
    async def _put_back(consumer: _Consumer, deliveries: Sequence[RabbitMQDelivery]) -> None:
        consumer.deliveries.put_back(deliveries)


def _delivery(message: DeliveredMessage) -> RabbitMQDelivery:
    properties = message.header.properties
    headers: dict[str, Any] = dict(properties.headers or {})
    traceparent = headers.get(TRACEPARENT)
    sent_at = properties.timestamp.timestamp() if isinstance(properties.timestamp, datetime) else time.time()
    return RabbitMQDelivery(
        tag=message.delivery_tag or 0,
        message_id=properties.message_id or "",
        body=message.body.decode(errors="replace"),  # not ours then, and refused as no event
        receive_count=_delivery_count(headers) + 1,
        sent_at=sent_at,
        traceparent=traceparent if isinstance(traceparent, str) else None,
    )


def _delivery_count(headers: Mapping[str, Any]) -> int:
    """How often the broker has delivered the message before. Whoever publishes can set the header to anything."""
    count = headers.get("x-delivery-count")
    return count if type(count) is int and count > 0 else 0
