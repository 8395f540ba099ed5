"""Kafka as the queue: one topic, read by a consumer group, and a second topic for the dead letters."""

from core.queues.kafka.dead_letters import KafkaDeadLetters
from core.queues.kafka.publisher import KafkaPublisher
from core.queues.kafka.source import KafkaSource

__all__ = ["KafkaDeadLetters", "KafkaPublisher", "KafkaSource"]
