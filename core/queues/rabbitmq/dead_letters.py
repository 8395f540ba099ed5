"""Looks at what was given up, and puts it back."""

import asyncio
from collections.abc import Collection, Sequence
from threading import Lock
from typing import Any, Final

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage

from core.ports.queue import DeadLetter
from core.queues.rabbitmq.address import RabbitMQAddress
from core.queues.rabbitmq.connection import RabbitMQConnection
from core.queues.rabbitmq.publisher import publish_all
from core.queues.rabbitmq.topology import DELIVERY_LIMIT

WORK_SECONDS: Final = 600.0

_BATCH: Final = 500
_LOOKS: Final = 5
_LOOK_SECONDS: Final = 0.1


class RabbitMQDeadLetters:
    """Implements `DeadLetterQueue`.

    RabbitMQ has no look without a receive: who looks holds the messages for that moment, and others see the rest.
    """

    def __init__(self, url: str, *, max_receives: int = 5, timeout: float = WORK_SECONDS) -> None:
        """`url` as in `RabbitMQAddress`; `max_receives` as in the source; `timeout` bounds each call, in seconds.

        Raises:
            InvalidSettingsError: the URL is not one of a RabbitMQ queue.
        """
        self._connection = RabbitMQConnection(RabbitMQAddress.parse(url), "audit-log dead letters", timeout)
        self._max_receives: Final = max_receives
        self._working = Lock()  # messages are given back "up to this one", which must not be another thread's

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `DeadLetterQueue.dead_letters`. RabbitMQ keeps why it was given up, not the count."""
        with self._working:
            messages = self._connection.run(lambda: self._look(limit))
        return [self._dead_letter(message) for message in messages]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """See `DeadLetterQueue.redrive`. If the queue is full, those that were not put back stay, and it says so."""
        wanted = None if message_ids is None else frozenset(message_ids)
        with self._working:
            return self._connection.run(lambda: self._redrive(wanted))

    def close(self) -> None:
        """Disconnect, for good."""
        self._connection.close()

    async def _look(self, limit: int) -> list[DeliveredMessage]:
        """The first messages. What was looked at before has to be taken along: the others would be first after this."""
        channel = await self._connection.channel()
        messages = await self._get(channel, limit)
        last = messages[-1:]
        while last and last[0].redelivered and (more := await self._get(channel, 1)):
            last = more
        await _give_back(channel, last)
        return messages

    async def _redrive(self, wanted: frozenset[str] | None) -> int:
        channel = await self._connection.channel()
        redriven = 0
        held: list[DeliveredMessage] = []
        # Not what fails again meanwhile, behind them: to go on could mean to go round without end.
        left = await self._count(channel)
        try:
            while messages := await self._get(channel, min(_BATCH, left)):
                left -= len(messages)
                held += messages
                chosen = [each for each in messages if wanted is None or each.header.properties.message_id in wanted]
                await publish_all(channel, self._connection.address.queue, [_redriven(message) for message in chosen])
                for message in chosen:
                    await channel.basic_ack(_tag(message), wait=message is chosen[-1])
                held = [message for message in held if message not in chosen]
                redriven += len(chosen)
        finally:
            if not channel.is_closed:
                await _give_back(channel, held)
        return redriven

    async def _count(self, channel: AbstractChannel) -> int:
        """How many messages there are. What was given back a moment ago is not counted at once, so 0 is asked again."""
        for _ in range(_LOOKS):
            declared = await channel.queue_declare(self._connection.address.dead_letters, passive=True)
            if declared.message_count:
                return int(declared.message_count)
            await asyncio.sleep(_LOOK_SECONDS)
        return 0

    async def _get(self, channel: AbstractChannel, limit: int) -> list[DeliveredMessage]:
        messages: list[DeliveredMessage] = []
        while len(messages) < limit:
            message = await channel.basic_get(self._connection.address.dead_letters)
            if message.delivery_tag is None:
                break
            messages.append(message)
        return messages

    def _dead_letter(self, message: DeliveredMessage) -> DeadLetter:
        properties = message.header.properties
        headers: dict[str, Any] = dict(properties.headers or {})
        by_broker = headers.get("x-first-death-reason") == "delivery_limit"
        receive_count = DELIVERY_LIMIT if by_broker else self._max_receives
        return DeadLetter(properties.message_id or "", message.body.decode(errors="replace"), receive_count)


def _redriven(message: DeliveredMessage) -> tuple[bytes, aiormq.spec.Basic.Properties]:
    """The message as it was first published, without the marks of its death."""
    properties = message.header.properties
    return message.body, aiormq.spec.Basic.Properties(
        content_type=properties.content_type,
        delivery_mode=properties.delivery_mode,
        message_id=properties.message_id,
        timestamp=properties.timestamp,
    )


async def _give_back(channel: AbstractChannel, messages: Sequence[DeliveredMessage]) -> None:
    """Return all that the channel holds, in its order: ahead of the queue, behind what was returned earlier."""
    if messages:
        await channel.basic_nack(_tag(messages[-1]), multiple=True, requeue=True)


def _tag(message: DeliveredMessage) -> int:
    return message.delivery_tag or 0
