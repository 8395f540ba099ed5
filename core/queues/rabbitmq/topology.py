"""The two queues, declared by whoever comes first."""

from typing import Any, Final

from aiormq.abc import AbstractChannel

from core.queues.rabbitmq.address import RabbitMQAddress

DELIVERY_LIMIT: Final = 1000
"""How often the broker gives a message to consumers that die of it. The source gives up on far fewer failures.

Brokers before 4.3 count each message that a lost connection returns, also those that no one had looked at yet; good
messages must outlive a worker that is killed again and again, and an outage of the store that outlasts the broker's
patience (30 minutes) many times.
"""

_ENDLESS: Final = 1_000_000_000  # looks at a dead letter; left out, RabbitMQ 4 would drop it after 20


async def declare_queues(channel: AbstractChannel, address: RabbitMQAddress) -> None:
    """Make both queues, or find them as they should be.

    Dead letters leave the queue only when the other has confirmed them (at-least-once), which needs reject-publish:
    https://www.rabbitmq.com/docs/quorum-queues#dead-lettering. Both are reached through the default exchange.

    Raises:
        ChannelPreconditionFailed: one of them is there with other arguments.
    """
    await channel.queue_declare(address.dead_letters, durable=True, arguments=_quorum(_ENDLESS))
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
