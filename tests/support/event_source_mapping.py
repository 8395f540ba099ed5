"""Lambda's event source mapping between a queue and a function.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (batches) and
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html (partial failures)
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.sqs import client

LARGEST_EVENT = 6 * 1024 * 1024
"""Maximum payload of an invocation, in bytes."""

Function = Callable[[Mapping[str, Any], object], Any]


class EventSourceMapping:
    """Invokes a function with batches of an SQS queue. Failed messages are redelivered after their timeout."""

    def __init__(self, queue_url: str, function: Function, *, batch_size: int = 10, window: float = 0.0) -> None:
        self._queue_url = queue_url
        self._function = function
        self._batch_size = batch_size
        self._window = window
        self.events: list[dict[str, Any]] = []
        """Payloads of the invocations so far."""

    def step(self) -> int:
        """Invoke the function with the messages that arrive within two seconds; return their number."""
        messages = self._batch()
        if messages:
            self._invoke(messages)
        return len(messages)

    def _batch(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        size = 0
        until = None
        while len(messages) < self._batch_size and size < LARGEST_EVENT and (until is None or time.monotonic() < until):
            received = client().receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=min(10, self._batch_size - len(messages)),
                WaitTimeSeconds=0 if messages else 2,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages += received.get("Messages", [])
            size += sum(len(message["Body"]) for message in received.get("Messages", []))
            until = until or time.monotonic() + self._window
            if not messages:
                break
        return messages

    def _invoke(self, messages: list[dict[str, Any]]) -> None:
        event = {"Records": [_record(message) for message in messages]}
        self.events.append(event)
        try:
            failed = _failures(self._function(event, None), {message["MessageId"] for message in messages})
        except Exception:  # noqa: BLE001 - whatever a function raises, Lambda leaves the batch in the queue
            return
        for message in messages:
            if message["MessageId"] not in failed:
                client().delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])


def _record(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {
                "stringValue": value["StringValue"],
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    }


def _failures(answer: Any, sent: set[str]) -> set[str]:
    """Return the ids of failed messages: all of them if Lambda does not understand the response."""
    if not answer or not answer.get("batchItemFailures"):
        return set()
    failed = {item.get("itemIdentifier") for item in answer["batchItemFailures"]}
    if not failed <= sent:
        return sent
    return failed
