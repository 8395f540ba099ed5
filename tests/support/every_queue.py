"""The queues that the contract of consumers holds for: a new adapter is one more entry."""

from tests.support.kafka import kafka_queue, mock_kafka_queue
from tests.support.queues import memory_queue, spool_queue
from tests.support.rabbitmq import rabbitmq_queue
from tests.support.sqs import sqs_queue

QUEUES = {
    "memory": memory_queue,
    "spool": spool_queue,
    "rabbitmq": rabbitmq_queue,
    "kafka-mock": mock_kafka_queue,
    "kafka": kafka_queue,
    "sqs": sqs_queue,
}
