"""Consumes events from Kafka, with a thread that reads ahead."""

import logging
from collections.abc import Iterable, Sequence
from threading import Event as Flag
from threading import Thread
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from core.errors import QueueFullError, QueueUnavailableError
from core.ports.queue import Message
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.connectivity import BACK_OFF_SECONDS, Connectivity, unavailable
from core.queues.kafka.delivery_tracker import KafkaDelivery, KafkaDeliveryTracker, Offsets
from core.queues.kafka.expiry import read_positions, report_gap
from core.queues.kafka.producer import ConfirmedProducer
from core.queues.kafka.records import consumer_records, dead_letter_record
from core.queues.kafka.topics import ensure_topics

DEAD_LETTER_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 5.0

_POLL_SECONDS: Final = 0.05  # also the longest delay of a commit
_PAUSED_POLL_SECONDS: Final = 0.005
_BATCH: Final = 500

_log = logging.getLogger(__name__)


class KafkaSource:
    """Implements `EventSource` for one receiving thread. Connects at first use, and reconnects by itself.

    A separate thread polls and commits, so that the consumer stays in its group while a batch is being stored.

    A message that waits for its retry is held in memory. It blocks the commit of its partition, not the messages behind
    it; if the consumer dies, all messages from that offset on are redelivered. The receive count lives in memory too
    and starts again with the next consumer. A receipt ends with `delete` and `retry_after`, and when its partition is
    assigned to another consumer.
    """

    def __init__(self, url: str, *, max_pending: int = 2000, max_receives: int = 5) -> None:
        """Parse `url` (see `KafkaAddress`). A partition with `max_pending` unfinished messages is paused.

        Raises:
            InvalidSettingsError: not the URL of a Kafka queue.
        """
        self._address = KafkaAddress.parse(url)
        self._max_pending: Final = max_pending
        self._max_receives: Final = max_receives
        self._deliveries = KafkaDeliveryTracker()
        self._producer = ConfirmedProducer(self._address, "audit-log dead letters", DEAD_LETTER_SECONDS)
        self._connectivity = Connectivity()
        self._stop = Flag()
        self._thread: Thread | None = None

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """Implement `EventSource.receive`."""
        if self._stop.is_set():
            raise QueueUnavailableError("The consumer is shutting down.")
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="audit-log consumer", daemon=True)
            self._thread.start()
        messages = self._deliveries.take(max_messages, wait, window)
        if not messages:
            self._connectivity.raise_if_unreachable()
        return messages

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """Implement `EventSource.delete`. The polling thread commits the offsets within 50 ms."""
        self._deliveries.settle(self._deliveries.release(receipt_handles))

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """Implement `EventSource.retry_after`."""
        deliveries = self._deliveries.release(receipt_handles)
        exhausted = [each for each in deliveries if counted and each.receive_count >= self._max_receives]
        retried = [each for each in deliveries if each not in exhausted]
        self._deliveries.schedule_retry(retried, delay, counted=counted)
        if exhausted:
            self._move_to_dead_letters(exhausted, delay)

    def close(self) -> None:
        """Commit and leave the group permanently. Messages that were not deleted go to another consumer."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                # The group reassigns the partitions once the session has timed out.
                _log.error("kafka_close_timeout", extra={"seconds": CLOSE_SECONDS})
        self._producer.close()

    def _move_to_dead_letters(self, deliveries: Sequence[KafkaDelivery], delay: float) -> None:
        try:
            self._producer.send([dead_letter_record(self._address, delivery) for delivery in deliveries])
        except (QueueUnavailableError, QueueFullError) as exc:
            self._deliveries.schedule_retry(deliveries, delay)
            raise unavailable() from exc
        self._deliveries.settle(deliveries)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._consume()
            except KafkaException as exc:
                _log.warning("kafka_consumer_restarting", extra={"reason": str(exc)})
                self._connectivity.fail(exc)
                self._stop.wait(BACK_OFF_SECONDS)

    def _consume(self) -> None:
        settings = {
            **self._address.consumer_settings(self._address.group),
            "error_cb": self._connectivity.on_error,
            "on_commit": self._on_commit,
        }
        consumer = Consumer(settings, logger=_log)
        try:
            while not self._stop.is_set() and not self._probe(consumer):
                consumer.poll(_POLL_SECONDS)
            consumer.subscribe(
                [self._address.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            self._poll(consumer)
        finally:
            consumer.close()
            self._deliveries.revoke()

    def _poll(self, consumer: Consumer) -> None:
        while not self._stop.is_set():
            self._probe(consumer)
            first = consumer.poll(_PAUSED_POLL_SECONDS if self._deliveries.any_paused() else _POLL_SECONDS)
            if first is not None:
                for number, records in consumer_records([first, *consumer.consume(_BATCH, 0)]).items():
                    if gap := self._deliveries.add(number, records):
                        report_gap(consumer, self._address.topic, number, gap)
            pause, resume = self._deliveries.throttle(self._max_pending)
            consumer.pause(self._topic_partitions(pause))
            consumer.resume(self._topic_partitions(resume))
            if offsets := self._deliveries.to_commit():
                consumer.commit(offsets=self._topic_partitions(offsets), asynchronous=True)

    def _probe(self, consumer: Consumer) -> bool:
        return self._connectivity.probe(lambda seconds: ensure_topics(consumer, self._address, seconds))

    def _on_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        failed = [each.partition for each in partitions if error is not None or each.error is not None]
        self._deliveries.commit_failed(failed)

    def _on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        numbers = [each.partition for each in partitions]
        self._deliveries.assign(numbers, read_positions(consumer, self._address.topic, numbers))

    def _on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        offsets = self._deliveries.revoke(each.partition for each in partitions)
        if not offsets:
            return
        try:
            consumer.commit(offsets=self._topic_partitions(offsets), asynchronous=False)
        except KafkaException as exc:
            # The messages are redelivered, and their ids keep them from being stored twice.
            _log.warning("kafka_commit_failed", extra={"partitions": sorted(offsets), "reason": str(exc)})

    def _on_lost(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._deliveries.revoke(each.partition for each in partitions)

    def _topic_partitions(self, offsets: Offsets | Iterable[int]) -> list[TopicPartition]:
        if isinstance(offsets, dict):
            return [TopicPartition(self._address.topic, number, offset) for number, offset in offsets.items()]
        return [TopicPartition(self._address.topic, number) for number in offsets]
