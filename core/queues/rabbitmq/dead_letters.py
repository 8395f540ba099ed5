"""Lists and redrives the dead letters in RabbitMQ."""

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
_COUNT_ATTEMPTS: Final = 5
_COUNT_PAUSE_SECONDS: Final = 0.1


class RabbitMQDeadLetters:
    """Implements `DeadLetterQueue`.

    RabbitMQ can only show messages by delivering them. While they are listed, other consumers see the rest.
    """

    def __init__(self, url: str, *, max_receives: int = 5, timeout: float = WORK_SECONDS) -> None:
        """Parse `url` (see `RabbitMQAddress`).

        `max_receives` is that of the source; `timeout` limits each call, in seconds.

        Raises:
            InvalidSettingsError: not the URL of a RabbitMQ queue.
        """
        self._connection = RabbitMQConnection(RabbitMQAddress.parse(url), "audit-log dead letters", timeout)
        self._max_receives: Final = max_receives
        self._exclusive = Lock()  # returning "all messages up to this one" must not include another thread's

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Implement `DeadLetterQueue.dead_letters`. RabbitMQ records why a message died, not its receive count."""
        with self._exclusive:
            messages = self._connection.run(lambda: self._list(limit))
        return [self._dead_letter(message) for message in messages]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Implement `DeadLetterQueue.redrive`. Raises QueueFullError, and keeps the rest, when the queue is full."""
        wanted = None if message_ids is None else frozenset(message_ids)
        with self._exclusive:
            return self._connection.run(lambda: self._redrive(wanted))

    def close(self) -> None:
        """Disconnect permanently."""
        self._connection.close()

    async def _list(self, limit: int) -> list[DeliveredMessage]:
        """Return the first messages and give them back.

        Gives back all messages that were returned earlier as well, so that these do not get ahead of the first.
        """
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
        # Excludes messages that fail again in the meantime, which could repeat without end.
        remaining = await self._count(channel)
        try:
            while messages := await self._get(channel, min(_BATCH, remaining)):
                remaining -= len(messages)
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
        """Return the number of messages. Retries after a 0, because RabbitMQ counts returned messages with a delay."""
        for _ in range(_COUNT_ATTEMPTS):
            declared = await channel.queue_declare(self._connection.address.dead_letters, passive=True)
            if declared.message_count:
                return int(declared.message_count)
            await asyncio.sleep(_COUNT_PAUSE_SECONDS)
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
    """Build the message as it was first published, without the headers that dead-lettering added."""
    properties = message.header.properties
    return message.body, aiormq.spec.Basic.Properties(
        content_type=properties.content_type,
        delivery_mode=properties.delivery_mode,
        message_id=properties.message_id,
        timestamp=properties.timestamp,
    )


async def _give_back(channel: AbstractChannel, messages: Sequence[DeliveredMessage]) -> None:
    """Return all messages that the channel holds, which keep their order and precede those that are still queued."""
    if messages:
        await channel.basic_nack(_tag(messages[-1]), multiple=True, requeue=True)


def _tag(message: DeliveredMessage) -> int:
    return message.delivery_tag or 0
