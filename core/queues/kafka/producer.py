"""Synchronous producer: returns once the brokers have confirmed every record."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Lock, Thread
from time import sleep
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from core.errors import QueueFullError, QueueUnavailableError
from core.queues.kafka.address import KafkaAddress
from core.queues.kafka.connectivity import Connectivity, unavailable
from core.queues.kafka.topics import ensure_topics

_POLL_SECONDS: Final = 0.1
_MARGIN_SECONDS: Final = 1.0
_UNCONFIRMED: Final = frozenset(
    {
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001 - a public name
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    }
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """A record for a topic. Records with the same key keep their order."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, str | bytes | None]] = field(default_factory=list)


class _DeliveryReports:
    """Counts the delivery reports of one `send`."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._expected = 0
        self._reported = 0
        self._error: KafkaError | None = None

    def expect(self) -> None:
        self._expected += 1

    def report(self, error: KafkaError | None, _message: Message) -> None:
        with self._changed:
            self._reported += 1
            self._error = self._error or error
            if self._reported >= self._expected:
                self._changed.notify_all()

    def wait(self, timeout: float) -> None:
        with self._changed:
            complete = self._changed.wait_for(lambda: self._reported >= self._expected, timeout)
        if self._error is not None and self._error.code() in _UNCONFIRMED:
            raise QueueUnavailableError(
                "Kafka did not confirm the events in time: brokers are away, or fewer replicas are in sync than"
                " min.insync.replicas asks for. Send the same request again later."
            ) from KafkaException(self._error)
        if self._error is not None:
            raise unavailable() from KafkaException(self._error)
        if not complete:
            raise unavailable()


class ConfirmedProducer:
    """Safe to use from several threads.

    The librdkafka producer is created at first use, so that forking before is safe.
    """

    def __init__(self, address: KafkaAddress, name: str, timeout: float) -> None:
        """`name` is that of the thread that serves delivery reports; `timeout` limits each `send`, in seconds."""
        self._address = address
        self._name = name
        self._timeout = timeout
        self._starting = Lock()
        self._producer: Producer | None = None
        self._thread: Thread | None = None
        self._closed = False
        self._connectivity = Connectivity()

    def send(self, records: Sequence[ProducerRecord]) -> None:
        """Send records and wait until all in-sync replicas have written each of them.

        Raises:
            QueueFullError: too many messages wait in this process for their delivery; trying again later helps.
            QueueUnavailableError: not all records were confirmed in time. Some may have been written, or still be.
        """
        producer = self._started()
        self._connectivity.wait_until_reachable(self._timeout)
        reports = _DeliveryReports()
        try:
            for record in records:
                reports.expect()
                producer.produce(
                    record.topic, record.value, record.key, headers=[*record.headers], on_delivery=reports.report
                )
        except BufferError as exc:
            raise QueueFullError("The queue is full: send the same request again after Retry-After seconds.") from exc
        except KafkaException as exc:
            raise unavailable() from exc
        reports.wait(self._timeout + _MARGIN_SECONDS)

    def wait_until_reachable(self, timeout: float) -> None:
        """Wait until the brokers answer and both topics exist, for at most `timeout` seconds.

        Raises:
            QueueUnavailableError: they do not.
        """
        self._started()
        self._connectivity.wait_until_reachable(timeout)

    def close(self) -> None:
        """Wait until every record is confirmed or has failed, and disconnect permanently."""
        with self._starting:
            self._closed = True
            producer, thread = self._producer, self._thread
            self._producer = None
        if producer is None or thread is None:
            return
        thread.join()
        if left := producer.flush(self._timeout + _MARGIN_SECONDS):
            # Their publishes have failed, and clients send the events again.
            _log.error("kafka_messages_undelivered", extra={"messages": left})

    def _started(self) -> Producer:
        with self._starting:
            if self._closed:
                raise QueueUnavailableError("The service is shutting down: nothing was accepted, send it again.")
            if self._producer is None:
                settings = {**self._address.producer_settings(self._timeout), "error_cb": self._connectivity.on_error}
                self._producer = Producer(settings, logger=_log)
                self._thread = Thread(target=self._serve, args=(self._producer,), name=self._name, daemon=True)
                self._thread.start()
            return self._producer

    def _serve(self, producer: Producer) -> None:
        while not self._closed:
            try:
                self._connectivity.probe(lambda seconds: ensure_topics(producer, self._address, seconds))
                producer.poll(_POLL_SECONDS)
            except Exception:  # noqa: BLE001 - without this thread no publish would be confirmed any more
                action = "Report the bug with this stack trace; the thread continues."
                _log.exception("kafka_producer_poll_failed", extra={"action": action})
                sleep(_POLL_SECONDS)
