"""Consumes events from RabbitMQ, which pushes messages ahead of the receives."""

import asyncio
import logging
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
STALL_SECONDS: Final = 60.0
"""Time without a message after which the queue is looked at. Longer than any delay of a retry."""

_LAST_WAIT_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Consumer:
    channel: AbstractChannel
    deliveries: RabbitMQDeliveryTracker
    # An acknowledgement of "all up to this tag" must not overtake the rejection of an earlier tag.
    settling: asyncio.Lock = field(default_factory=asyncio.Lock)


class RabbitMQSource:
    """Implements `EventSource` for one receiving thread. Connects at first use, and reconnects by itself.

    A message that waits for its retry stays unacknowledged in memory and counts towards `prefetch`: that many failing
    messages hold up all others until the first of them is requeued. A receipt ends with `delete` and `retry_after`,
    and with the connection.

    A source that receives nothing although the queue has messages, or although messages that were pushed to it are
    still unsettled, reconnects.
    """

    def __init__(
        self, url: str, *, prefetch: int = 2000, max_receives: int = 5, stall_seconds: float = STALL_SECONDS
    ) -> None:
        """Parse `url` (see `RabbitMQAddress`). At most `prefetch` messages are in memory.

        Raises:
            InvalidSettingsError: not the URL of a RabbitMQ queue.
        """
        self._connection = RabbitMQConnection(RabbitMQAddress.parse(url), "audit-log consumer", BROKER_SECONDS)
        self._prefetch: Final = prefetch
        self._max_receives: Final = max_receives
        self._stall_seconds: Final = stall_seconds
        self._empty_since: float | None = None
        self._consumer: _Consumer | None = None

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """Implement `EventSource.receive`."""
        consumer = self._consumer
        if consumer is None or consumer.deliveries.lost:
            consumer = self._consumer = self._connection.run(self._consume)
            self._empty_since = None
        messages = consumer.deliveries.take(max_messages, wait, window)
        if messages:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = time.monotonic()
        elif time.monotonic() - self._empty_since >= self._stall_seconds:
            self._empty_since = time.monotonic()
            return self._receive_or_reconnect(consumer, max_messages, window)
        return messages

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """Implement `EventSource.delete`. If an acknowledgement gets lost, its message is redelivered."""
        if (consumer := self._consumer) is None:
            return
        deliveries = consumer.deliveries.release(receipt_handles)
        if deliveries:
            self._connection.run(lambda: self._acknowledge(consumer, deliveries))

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """Implement `EventSource.retry_after`. The broker counts only the retries that are requeued."""
        if (consumer := self._consumer) is None:
            return
        deliveries = consumer.deliveries.release(receipt_handles)
        if not counted:
            consumer.deliveries.schedule_retry(deliveries, delay)
            return
        exhausted = [delivery for delivery in deliveries if delivery.receive_count >= self._max_receives]
        retried = [delivery for delivery in deliveries if delivery.receive_count < self._max_receives]
        if exhausted:
            self._connection.run(lambda: self._reject(consumer, exhausted, requeue=False))
        if retried:
            self._connection.spawn(lambda: self._reject(consumer, retried, requeue=True), delay)

    def close(self) -> None:
        """Disconnect permanently. The broker gives messages that were not deleted to another consumer at once."""
        self._connection.close()

    def _receive_or_reconnect(self, consumer: _Consumer, max_messages: int, window: float) -> list[Message]:
        """Receive once more if there should be messages, and reconnect if none comes."""
        unsettled, waiting = consumer.deliveries.unsettled, self._connection.run(self._count_waiting)
        if not unsettled and not waiting:
            return []
        messages = consumer.deliveries.take(max_messages, _LAST_WAIT_SECONDS, window)
        if not messages:
            fields = {"waiting": waiting, "unsettled": unsettled, "seconds": self._stall_seconds}
            _log.error("rabbitmq_consumer_stalled", extra={**fields, "action": "None: the consumer reconnects."})
            self._consumer = None
            self._connection.reset()
        return messages

    async def _count_waiting(self) -> int:
        channel = await self._connection.channel()
        declared = await channel.queue_declare(self._connection.address.queue, passive=True)
        return declared.message_count or 0

    async def _consume(self) -> _Consumer:
        channel = await self._connection.new_channel()
        deliveries = RabbitMQDeliveryTracker()

        async def on_delivery(message: DeliveredMessage) -> None:
            deliveries.add(_parse(message))

        def on_cancel(_frame: object) -> None:
            # The queue was deleted or is unavailable; from 4.3 on also: a message was not acknowledged in time. The
            # next connection declares the queue again.
            deliveries.lose()
            self._connection.reset()

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
                last = each is acknowledgements[-1]  # frames are written in order: once the last is out, all are
                await consumer.channel.basic_ack(each.tag, multiple=each.multiple, wait=last)

    @staticmethod
    async def _reject(consumer: _Consumer, deliveries: Sequence[RabbitMQDelivery], *, requeue: bool) -> None:
        """Return messages to the queue, or move them to the dead letters.

        Uses basic.reject and not basic.nack, which does not increase the delivery count from RabbitMQ 4.3 on:
        https://www.rabbitmq.com/docs/4.3/nack
        """
        async with consumer.settling:
            consumer.deliveries.settle(deliveries)
            for delivery in deliveries:
                await consumer.channel.basic_reject(delivery.tag, requeue=requeue, wait=delivery is deliveries[-1])


def _parse(message: DeliveredMessage) -> RabbitMQDelivery:
    properties = message.header.properties
    headers: dict[str, Any] = dict(properties.headers or {})
    traceparent = headers.get(TRACEPARENT)
    sent_at = properties.timestamp.timestamp() if isinstance(properties.timestamp, datetime) else time.time()
    return RabbitMQDelivery(
        tag=message.delivery_tag or 0,
        message_id=properties.message_id or "",
        body=message.body.decode(errors="replace"),  # not UTF-8: from another program, and refused by the consumer
        receive_count=_delivery_count(headers) + 1,
        sent_at=sent_at,
        traceparent=traceparent if isinstance(traceparent, str) else None,
    )


def _delivery_count(headers: Mapping[str, Any]) -> int:
    """How often the broker has delivered the message before. The publisher can set the header to anything."""
    count = headers.get("x-delivery-count")
    return count if type(count) is int and count > 0 else 0
