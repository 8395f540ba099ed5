"""What stands in the topics: messages as they are read, and the headers of a dead letter."""

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
    """What was read, by partition.

    Raises:
        KafkaException: a broker refuses to go on, or the client cannot. What passes by itself is left out.
    """
    by_partition: dict[int, list[ConsumerRecord]] = defaultdict(list)
    for message in messages:
        if error := message.error():
            if error.fatal() or error.code() > 0:  # below 0 are the client's own, which it deals with unless fatal
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
    """The message as it was, with where it was and how often it was received in its headers."""
    headers = {
        TOPIC: address.topic,
        PARTITION: delivery.partition.number,
        OFFSET: delivery.read.offset,
        RECEIVE_COUNT: delivery.receive_count,
    }
    return ProducerRecord(
        address.dead_letters,
        delivery.read.key,
        delivery.read.value,
        [(name, str(value).encode()) for name, value in headers.items()],
    )


def parse_dead_letter(message: "Message[Any, Any]") -> DeadLetter:
    """A message of the topic of dead letters. Without a count, someone else has put it there: never received."""
    count = dict(message.headers() or []).get(RECEIVE_COUNT)
    return DeadLetter(
        message_id=f"{message.partition()}-{message.offset()}",
        body=(message.value() or b"").decode(errors="replace"),
        receive_count=int(count) if count and len(count) <= _MOST_DIGITS and count.isdigit() else 0,
    )


def _traceparent(message: "Message[Any, Any]") -> str | None:
    value = dict(message.headers() or []).get(TRACEPARENT)
    return value.decode(errors="replace") if isinstance(value, bytes) else value
