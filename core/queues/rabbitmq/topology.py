"""Declaration of the two queues, by every process that connects."""

from typing import Any, Final

from aiormq.abc import AbstractChannel

from core.queues.rabbitmq.address import RabbitMQAddress

DELIVERY_LIMIT: Final = 1000
"""Deliveries after which the broker itself moves a message to the dead letters; the source gives up far earlier.

The limit is for messages that kill their consumer. It is high because brokers before 4.3 also count messages that a
lost connection returns unread: good messages must survive a worker that is killed repeatedly, and an outage of the
store during which the broker closes the channel every 30 minutes (its acknowledgement timeout).
"""

_UNLIMITED: Final = 1_000_000_000  # without a limit, RabbitMQ 4 drops a dead letter that was listed 20 times


async def declare_queues(channel: AbstractChannel, address: RabbitMQAddress) -> None:
    """Declare both queues, which are reached through the default exchange.

    A dead letter leaves the first queue only after the second has confirmed it (at-least-once dead-lettering), which
    requires reject-publish: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering.

    Raises:
        ChannelPreconditionFailed: one of them exists with different arguments.
    """
    await channel.queue_declare(address.dead_letters, durable=True, arguments=_quorum(_UNLIMITED))
    arguments = {
        **_quorum(DELIVERY_LIMIT),
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": address.dead_letters,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    if address.max_length is not None:
        arguments["x-max-length"] = address.max_length
    await channel.queue_declare(address.queue, durable=True, arguments=arguments)


def _quorum(delivery_limit: int) -> dict[str, Any]:
    return {"x-queue-type": "quorum", "x-delivery-limit": delivery_limit}
