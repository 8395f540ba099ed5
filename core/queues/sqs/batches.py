"""SQS batch operations: up to ten entries a request, in parallel, with retries of failed entries."""

import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from core.queues.sqs.client import SQSClient, unavailable

MAX_ENTRIES: Final = 10
MAX_REQUEST_BYTES: Final = 256 * 1024
"""Size limit of a batch request. SQS accepts 1 MiB since August 2025; compatible servers and old proxies may not.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""
BATCH_SECONDS: Final = 5.0
"""Time after which no further request starts. One that has started runs to its end."""

_PARALLEL: Final = 8
_FIRST_PAUSE_SECONDS: Final = 0.1  # doubled after each attempt

_log = logging.getLogger(__name__)

BatchEntry = Mapping[str, Any]
"""One message of a batch request, without its `Id`."""


def call_in_batches(
    client: SQSClient, operation: str, entries: Sequence[BatchEntry], *, queue_url: str | None = None
) -> list[BatchEntry]:
    """Call a batch operation for all entries, in as many requests as needed; return the entries that SQS rejects.

    For botocore a request with failed entries is a success. Here, entries that failed through no fault of the sender
    are sent again, with random pauses that grow.

    Raises:
        QueueUnavailableError: SQS is unreachable, or some entries fail repeatedly; the others may have succeeded.
    """
    deadline = time.monotonic() + BATCH_SECONDS
    requests = list(split_into_requests(entries))

    def work(request: Sequence[BatchEntry]) -> list[BatchEntry]:
        return _call_until_done(client, operation, request, deadline, queue_url)

    if len(requests) <= 1:
        return [rejected for request in requests for rejected in work(request)]
    with ThreadPoolExecutor(_PARALLEL) as threads:
        return [rejected for result in threads.map(work, requests) for rejected in result]


def split_into_requests(entries: Sequence[BatchEntry]) -> Iterator[list[BatchEntry]]:
    """Group entries so that each group fits into a request. An entry above the size limit gets a separate request."""
    group: list[BatchEntry] = []
    size = 0
    for entry in entries:
        entry_size = _size(entry)
        if group and (len(group) == MAX_ENTRIES or size + entry_size > MAX_REQUEST_BYTES):
            yield group
            group, size = [], 0
        group.append(entry)
        size += entry_size
    if group:
        yield group


def string_attribute(name: str, value: str) -> dict[str, dict[str, str]]:
    """Build a message attribute of the type String."""
    return {name: {"DataType": "String", "StringValue": value}}


def _size(entry: BatchEntry) -> int:
    """Return the size in bytes as SQS counts it: body, and name, type and value of each attribute."""
    attributes = entry.get("MessageAttributes", {})
    attribute_bytes = sum(len(name) + len("".join(attribute.values())) for name, attribute in attributes.items())
    return len(entry.get("MessageBody", "").encode()) + attribute_bytes


def _call_until_done(
    client: SQSClient, operation: str, entries: Sequence[BatchEntry], deadline: float, queue_url: str | None
) -> list[BatchEntry]:
    remaining = dict(zip(map(str, range(len(entries))), entries, strict=True))
    rejected: list[BatchEntry] = []
    pause = _FIRST_PAUSE_SECONDS
    while time.monotonic() < deadline:
        numbered = [{"Id": number, **entry} for number, entry in remaining.items()]
        failed = client.call(operation, queue_url=queue_url, Entries=numbered).get("Failed", [])
        if faults := [failure for failure in failed if failure["SenderFault"]]:
            codes = sorted({failure["Code"] for failure in faults})
            _log.warning(
                "sqs_entries_rejected",
                extra={
                    "operation": operation,
                    "messages": len(faults),
                    "codes": codes,
                    "action": "Correct the queue's settings or permissions; the codes are those of the SQS API.",
                },
            )
            rejected += [remaining[failure["Id"]] for failure in faults]
        remaining = {failure["Id"]: remaining[failure["Id"]] for failure in failed if not failure["SenderFault"]}
        if not remaining:
            return rejected
        jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, protects no secret
        time.sleep(max(0.0, min(jittered, deadline - time.monotonic())))
        pause *= 2
    raise unavailable()
