"""Publishes events to SQS."""

from collections.abc import Sequence
from typing import Final

from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT
from core.errors import EventTooLargeError, QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.queues.sqs.address import SQSAddress
from core.queues.sqs.batches import call_in_batches, string_attribute
from core.queues.sqs.client import READ_SECONDS, SQSClient
from core.queues.sqs.queue_stats import queue_statistics

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

# SQS accepts the characters of XML 1.0. The others are escaped in JSON anyway, except these two, inside strings:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_ESCAPES: Final = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}


class SQSPublisher:
    """Implements `EventPublisher` and `QueueMonitor`. Safe to use from several threads; connects at first use."""

    def __init__(self, url: str, *, timeout: float = READ_SECONDS) -> None:
        """Parse `url` (see `SQSAddress`). `timeout` limits the wait for each response, in seconds.

        Raises:
            InvalidSettingsError: not the URL of an SQS queue.
        """
        self._client = SQSClient(SQSAddress.parse(url), timeout)

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """Implement `EventPublisher.publish`.

        Raises:
            EventTooLargeError: one of the events is larger than a message may be; none was sent.
        """
        bodies = [_body(event) for event in events]
        if any(len(body.encode()) > MAX_MESSAGE_BYTES for body in bodies):
            raise EventTooLargeError(
                f"The queue accepts at most {MAX_MESSAGE_BYTES} bytes an event: send less event_data."
            )
        attributes = {"MessageAttributes": string_attribute(TRACEPARENT, traceparent)} if traceparent else {}
        entries = [{"MessageBody": body, **attributes} for body in bodies]
        if call_in_batches(self._client, "send_message_batch", entries):
            raise QueueUnavailableError(
                "SQS rejects some of the events and has stored the others: see sqs_entries_rejected in the log, correct"
                " the queue's settings, and send all events again."
            )

    def statistics(self) -> QueueStatistics:
        """Implement `QueueMonitor`: the message counts of both queues."""
        return queue_statistics(self._client)

    def close(self) -> None:
        """Disconnect permanently."""
        self._client.close()


def _body(event: Event) -> str:
    body = event.to_json().decode()
    for character, escape in _ESCAPES.items():
        body = body.replace(character, escape)
    return body
