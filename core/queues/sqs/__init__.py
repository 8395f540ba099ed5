"""Amazon SQS as the queue: a standard queue, and another for the dead letters, which its redrive policy names."""

from core.queues.sqs.dead_letters import SQSDeadLetters
from core.queues.sqs.publisher import SQSPublisher
from core.queues.sqs.source import SQSSource

__all__ = ["SQSDeadLetters", "SQSPublisher", "SQSSource"]
