"""Conversion between Kafka messages and deliveries, and the headers of dead letters."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import KafkaException, Message

from core.domain.traceparent import TRACEPARENT
from core.ports.queue import DeadLetter
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.delivery_tracker import ConsumerRecord, KafkaDelivery
from core.queues.kafka.producer import ProducerRecord

TOPIC: Final = "audit-log-topic"
PARTITION: Final = "audit-log-partition"
OFFSET: Final = "audit-log-offset"
RECEIVE_COUNT: Final = "audit-log-receive-count"

_MOST_DIGITS: Final = 9


def consumer_records(messages: Iterable["Message[Any, Any]"]) -> dict[int, list[ConsumerRecord]]:
    """Group polled messages by partition number, without transient errors.

    Raises:
        KafkaException: an error that the client does not recover from by itself.
    """
    by_partition: dict[int, list[ConsumerRecord]] = defaultdict(list)
    for message in messages:
        if error := message.error():
            if error.fatal() or error.code() > 0:  # codes below 0 are local to librdkafka, which retries unless fatal
                raise KafkaException(error)
            continue
        by_partition[message.partition() or 0].append(
            ConsumerRecord(
                message.offset() or 0,
                message.key(),
                message.value() or b"",
                message.timestamp()[1] / 1000,
                _traceparent(message),
            )
        )
    return by_partition


def dead_letter_record(address: KafkaAddress, delivery: KafkaDelivery) -> ProducerRecord:
    """Build the dead letter: the message unchanged, its origin and receive count in headers."""
    headers = {
        TOPIC: address.topic,
        PARTITION: delivery.partition.number,
        OFFSET: delivery.record.offset,
        RECEIVE_COUNT: delivery.receive_count,
    }
    return ProducerRecord(
        address.dead_letters,
        delivery.record.key,
        delivery.record.value,
        [(name, str(value).encode()) for name, value in headers.items()],
    )


def parse_dead_letter(message: "Message[Any, Any]") -> DeadLetter:
    """Read a message of the dead-letter topic. Without our header, another program wrote it: receive count 0."""
    count = dict(message.headers() or []).get(RECEIVE_COUNT)
    return DeadLetter(
        message_id=f"{message.partition()}-{message.offset()}",
        body=(message.value() or b"").decode(errors="replace"),
        receive_count=int(count) if count and len(count) <= _MOST_DIGITS and count.isdigit() else 0,
    )


def _traceparent(message: "Message[Any, Any]") -> str | None:
    value = dict(message.headers() or []).get(TRACEPARENT)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
