"""Amazon SQS as the queue: one standard queue, whose redrive policy names a second for the dead letters."""

from core.queues.sqs.dead_letters import SQSDeadLetters
from core.queues.sqs.publisher import SQSPublisher
from core.queues.sqs.source import SQSSource

__all__ = ["SQSDeadLetters", "SQSPublisher", "SQSSource"]
