"""Puts events into SQS, and returns when it has them."""

from collections.abc import Sequence
from typing import Final

from core.domain.models import Event
from core.domain.traceparent import TRACEPARENT
from core.errors import EventTooLargeError, QueueUnavailableError
from core.queues.sqs.address import SQSAddress
from core.queues.sqs.batches import call_in_batches, string_attribute
from core.queues.sqs.client import READ_SECONDS, SQSClient
from core.queues.sqs.queue_stats import queue_stats

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

# SQS takes the characters of XML 1.0. JSON has none of the others but these as they are, and only inside strings:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_ESCAPES: Final = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}


class SQSPublisher:
    """Implements `EventPublisher` and `Check`. Safe to use from several threads; connects at first use."""

    def __init__(self, url: str, *, timeout: float = READ_SECONDS) -> None:
        """`url` as in `SQSAddress`; `timeout` bounds each answer of SQS, in seconds.

        Raises:
            InvalidSettingsError: the URL is not one of an SQS queue.
        """
        self._client = SQSClient(SQSAddress.parse(url), timeout)

    def publish(self, events: Sequence[Event], traceparent: str | None = None) -> None:
        """See `EventPublisher.publish`.

        Raises:
            EventTooLargeError: no message of SQS can hold one of the events; none was sent.
        """
        bodies = [_body(event) for event in events]
        if any(len(body.encode()) > MAX_MESSAGE_BYTES for body in bodies):
            raise EventTooLargeError(f"The queue takes at most {MAX_MESSAGE_BYTES} bytes an event: send less.")
        attributes = {"MessageAttributes": string_attribute(TRACEPARENT, traceparent)} if traceparent else {}
        entries = [{"MessageBody": body, **attributes} for body in bodies]
        if call_in_batches(self._client, "send_message_batch", entries):
            raise QueueUnavailableError(
                "SQS refuses some of the events and has the others: see the log, mend its settings, send all again."
            )

    def check(self) -> dict[str, object]:
        """Implements `Check`: SQS is reached and has both queues; how many messages wait and were given up."""
        return queue_stats(self._client)

    def close(self) -> None:
        """Disconnect, for good."""
        self._client.close()


def _body(event: Event) -> str:
    body = event.to_json().decode()
    for character, escape in _ESCAPES.items():
        body = body.replace(character, escape)
    return body
