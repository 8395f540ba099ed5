"""Lists and redrives the dead letters in Kafka."""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from threading import Lock
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from core.errors import NotSupportedError
from core.ports.queue import DeadLetter
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.connectivity import unavailable
from core.queues.kafka.producer import ConfirmedProducer, ProducerRecord
from core.queues.kafka.records import parse_dead_letter

BROKER_SECONDS: Final = 5.0

_BATCH: Final = 500
_LEADER_CHANGES: Final = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
"""Errors while a partition gets a leader, also just after it was created. librdkafka does not retry this request."""
_LEADER_PAUSE_SECONDS: Final = 0.05

_log = logging.getLogger(__name__)


class KafkaDeadLetters:
    """Implements `DeadLetterQueue`.

    The dead letters are the messages from the offset of a separate consumer group on, which a redrive advances. A
    redriven message stays in the topic until its retention ends.
    """

    def __init__(self, url: str, *, timeout: float = BROKER_SECONDS) -> None:
        """Parse `url` (see `KafkaAddress`). `timeout` limits each request to the brokers, in seconds.

        Raises:
            InvalidSettingsError: not the URL of a Kafka queue.
        """
        self._address = KafkaAddress.parse(url)
        self._timeout = timeout
        self._producer = ConfirmedProducer(self._address, "audit-log redrive", timeout)
        self._redriving = Lock()  # two redrives at once would publish everything twice

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Implement `DeadLetterQueue.dead_letters`."""
        with self._reader() as reader:
            messages = reader.messages(reader.ends(), limit)
        oldest = sorted(messages, key=lambda message: message.timestamp()[1])[:limit]
        return [parse_dead_letter(message) for message in oldest]

    def redrive(self, message_ids: Collection[str] | None = None) -> int:
        """Implement `DeadLetterQueue.redrive`.

        Raises:
            NotSupportedError: `message_ids` is not None. An offset cannot skip single messages.
            QueueFullError: too many messages wait in this process for their delivery; trying again later helps.
        """
        if message_ids is not None:
            raise NotSupportedError("Kafka can only redrive all dead letters at once: leave the ids out.")
        redriven = 0
        with self._redriving, self._reader() as reader:
            ends = reader.ends()  # excludes messages that fail again in the meantime, which could repeat without end
            while messages := reader.messages(ends, _BATCH):
                self._producer.send(
                    [ProducerRecord(self._address.topic, message.key(), message.value() or b"") for message in messages]
                )
                reader.commit_past(messages)
                redriven += len(messages)
        return redriven

    def close(self) -> None:
        """Disconnect permanently."""
        self._producer.close()

    @contextmanager
    def _reader(self) -> Iterator["_Reader"]:
        self._producer.wait_until_reachable(self._timeout)
        settings = self._address.consumer_settings(self._address.redrive_group)
        try:
            with closing(Consumer({**settings, "enable.partition.eof": True}, logger=_log)) as consumer:
                yield _Reader(consumer, self._address.dead_letters, self._timeout)
        except KafkaException as exc:
            raise unavailable() from exc


class _Reader:
    """Reads a topic from the committed offsets of a group, without joining the group."""

    def __init__(self, consumer: Consumer, topic: str, timeout: float) -> None:
        self._consumer = consumer
        self._topic = topic
        self._timeout = timeout

    def ends(self) -> dict[int, int]:
        """Return the end offset of each partition: that of the next message."""
        numbers = self._consumer.list_topics(self._topic, self._timeout).topics[self._topic].partitions
        return {number: self._watermarks(number)[1] for number in numbers}

    def messages(self, ends: dict[int, int], limit: int) -> list["Message[Any, Any]"]:
        """Return up to `limit` messages of each partition, from the committed offset up to `ends`."""
        partitions = [TopicPartition(self._topic, number) for number in ends]
        committed = self._consumer.committed(partitions, self._timeout)
        return [message for each in committed for message in self._read(each, ends[each.partition], limit)]

    def commit_past(self, messages: list["Message[Any, Any]"]) -> None:
        """Commit the offsets behind these messages."""
        next_offsets = {message.partition() or 0: (message.offset() or 0) + 1 for message in messages}
        offsets = [TopicPartition(self._topic, number, offset) for number, offset in next_offsets.items()]
        for each in self._consumer.commit(offsets=offsets, asynchronous=False):
            if each.error is not None:
                raise KafkaException(each.error)

    def _read(self, committed: TopicPartition, end: int, limit: int) -> list["Message[Any, Any]"]:
        start = max(committed.offset, self._watermarks(committed.partition)[0])
        messages: list[Message[Any, Any]] = []
        if start >= end:  # saves the time that polling an empty partition takes
            return messages
        self._consumer.assign([TopicPartition(self._topic, committed.partition, start)])
        while len(messages) < limit and start < end:
            message = self._consumer.poll(self._timeout)
            if message is None:
                raise unavailable()
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public name
                break  # the last offsets can be transaction markers, which are not messages
            if error is not None:
                raise KafkaException(error)
            messages.append(message)
            start = (message.offset() or 0) + 1
        self._consumer.unassign()
        return messages

    def _watermarks(self, number: int) -> tuple[int, int]:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), self._timeout)
            except KafkaException as exc:
                if exc.args[0].code() not in _LEADER_CHANGES or time.monotonic() > deadline:
                    raise
                time.sleep(_LEADER_PAUSE_SECONDS)
            else:
                return low, high
