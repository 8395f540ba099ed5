"""Operations on many messages, in requests of ten."""

import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from core.queues.sqs.client import SQSClient, unavailable

MAX_ENTRIES: Final = 10
MAX_REQUEST_BYTES: Final = 256 * 1024
"""Of the messages in a request of several. SQS takes 1 MiB since August 2025, its copies and older proxies often less.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""
BATCH_SECONDS: Final = 5.0
"""After this no further request begins; the one at hand takes its own time."""

_PARALLEL: Final = 8
_FIRST_PAUSE: Final = 0.1  # seconds; twice as long after each round

_log = logging.getLogger(__name__)

BatchEntry = Mapping[str, Any]
"""One message in a request, without its `Id`."""


def call_in_batches(
    client: SQSClient, operation: str, entries: Sequence[BatchEntry], *, queue_url: str | None = None
) -> list[BatchEntry]:
    """Do a batch operation with all entries, in as many requests as it takes; the entries that SQS refuses for good.

    Botocore sees a request of which some entries failed as done. Here those that failed through no fault of theirs are
    sent again with growing, random pauses.

    Raises:
        QueueUnavailableError: SQS cannot be reached, or some entries fail all the time; the others may be done.
    """
    deadline = time.monotonic() + BATCH_SECONDS
    requests = list(split_into_requests(entries))

    def work(request: Sequence[BatchEntry]) -> list[BatchEntry]:
        return _in_one_batch(client, operation, request, deadline, queue_url)

    if len(requests) <= 1:
        return [refused for request in requests for refused in work(request)]
    with ThreadPoolExecutor(_PARALLEL) as threads:
        return [refused for result in threads.map(work, requests) for refused in result]


def split_into_requests(entries: Sequence[BatchEntry]) -> Iterator[list[BatchEntry]]:
    """Entries in groups that each fit into a request; one that is larger than that has a request of its own."""
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
    """What goes with a message beside its body."""
    return {name: {"DataType": "String", "StringValue": value}}


def _size(entry: BatchEntry) -> int:
    """As SQS counts: the body, and name, type and value of each attribute."""
    attributes = entry.get("MessageAttributes", {})
    beside = sum(len(name) + len("".join(attribute.values())) for name, attribute in attributes.items())
    return len(entry.get("MessageBody", "").encode()) + beside


def _in_one_batch(
    client: SQSClient, operation: str, entries: Sequence[BatchEntry], deadline: float, queue_url: str | None
) -> list[BatchEntry]:
    left = dict(zip(map(str, range(len(entries))), entries, strict=True))
    refused: list[BatchEntry] = []
    pause = _FIRST_PAUSE
    while time.monotonic() < deadline:
        asked = [{"Id": number, **entry} for number, entry in left.items()]
        failed = client.call(operation, queue_url=queue_url, Entries=asked).get("Failed", [])
        if faults := [failure for failure in failed if failure["SenderFault"]]:
            codes = sorted({failure["Code"] for failure in faults})
            _log.warning(
                "SQS refuses messages", extra={"operation": operation, "messages": len(faults), "codes": codes}
            )
            refused += [left[failure["Id"]] for failure in faults]
        left = {failure["Id"]: left[failure["Id"]] for failure in failed if not failure["SenderFault"]}
        if not left:
            return refused
        spread = pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing
        time.sleep(max(0.0, min(spread, deadline - time.monotonic())))
        pause *= 2
    raise unavailable()
