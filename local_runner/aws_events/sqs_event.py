"""Builds the SQS event that Lambda's event source mapping would send."""

import time
from collections.abc import Sequence
from typing import Any

from core.domain.traceparent import TRACEPARENT
from core.ports.queue import Message


def to_sqs_event(messages: Sequence[Message]) -> dict[str, Any]:
    """The event that Lambda's event source mapping makes: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    now = str(int(time.time() * 1000))  # of this receive: no handler reads it
    return {
        "Records": [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt_handle,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(message.receive_count),
                    "SentTimestamp": str(int(message.sent_at * 1000)),
                    "SenderId": "local",
                    "ApproximateFirstReceiveTimestamp": now,
                },
                "messageAttributes": _attributes(message),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:local:000000000000:events",
                "awsRegion": "local",
            }
            for message in messages
        ]
    }


def _attributes(message: Message) -> dict[str, Any]:
    if message.traceparent is None:
        return {}
    value = {"stringValue": message.traceparent, "stringListValues": [], "binaryListValues": [], "dataType": "String"}
    return {TRACEPARENT: value}
