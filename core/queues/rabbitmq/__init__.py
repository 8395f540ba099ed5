"""RabbitMQ as the queue: one durable quorum queue, and a second for the dead letters."""

from core.queues.rabbitmq.dead_letters import RabbitMQDeadLetters
from core.queues.rabbitmq.publisher import RabbitMQPublisher
from core.queues.rabbitmq.source import RabbitMQSource

__all__ = ["RabbitMQDeadLetters", "RabbitMQPublisher", "RabbitMQSource"]
