"""Consumes events from SQS."""

import math
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from core.domain.traceparent import TRACEPARENT
from core.errors import QueueUnavailableError
from core.ports.queue import Message
from core.queues.sqs.address import SQSAddress
from core.queues.sqs.batches import MAX_ENTRIES, call_in_batches
from core.queues.sqs.client import LONGEST_POLL_SECONDS, SQSClient
from core.queues.sqs.delivery_tracker import SQSDelivery, SQSDeliveryTracker

_PARALLEL_POLLS: Final = 8  # while there is a backlog
_ROUNDING_SECONDS: Final = 0.01  # a wait may have shrunk by this much since the caller asked for whole seconds


class SQSSource:
    """Implements `EventSource` for one receiving thread. Connects at first use.

    The queue's redrive policy makes the dead letters. SQS counts every receive, so a message whose retry must not count
    is held in memory, invisible to other consumers, until the retry is due; if this process dies, SQS redelivers it. A
    receipt ends with `delete` and `retry_after`.
    """

    def __init__(self, url: str, *, visibility_timeout: int = 60) -> None:
        """Parse `url` (see `SQSAddress`). SQS redelivers a message that is not settled in `visibility_timeout` seconds.

        Raises:
            InvalidSettingsError: not the URL of an SQS queue.
        """
        self._client = SQSClient(SQSAddress.parse(url))
        self._visibility_timeout: Final = visibility_timeout
        self._deliveries = SQSDeliveryTracker()
        self._threads = ThreadPoolExecutor(_PARALLEL_POLLS, thread_name_prefix="audit-log polls")

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """Implement `EventSource.receive`."""
        deliveries = self._receive_first(max_messages, time.monotonic() + wait)
        if deliveries:
            missing = max_messages - len(deliveries)
            deliveries += self._fill_batch(missing, len(deliveries), time.monotonic() + window)
        return [self._deliveries.issue(delivery) for delivery in deliveries]

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """Implement `EventSource.delete`."""
        deliveries = self._deliveries.release(receipt_handles)
        call_in_batches(self._client, "delete_message_batch", [{"ReceiptHandle": each.handle} for each in deliveries])

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """Implement `EventSource.retry_after`. SQS takes whole seconds: the delay of a counted retry is rounded up."""
        deliveries = self._deliveries.release(receipt_handles)
        if counted:
            self._hide(deliveries, math.ceil(delay))
        else:
            due_at = time.monotonic() + delay
            # A message that SQS refuses to hide is with another consumer by now, or was received 12 hours ago.
            hidden = self._hide(deliveries, math.ceil(delay) + self._visibility_timeout)
            self._deliveries.schedule_retry(hidden, due_at)

    def close(self) -> None:
        """Return messages that were not deleted to the queue and disconnect, permanently."""
        with suppress(QueueUnavailableError):  # they become visible after their timeout
            self._hide(self._deliveries.pop_all(), 0)
        self._threads.shutdown()
        self._client.close()

    def _receive_first(self, max_messages: int, deadline: float) -> list[SQSDelivery]:
        """Return the first deliveries, from the retries held here or from the queue; none after the deadline."""
        while True:
            now = time.monotonic()
            if due := self._deliveries.pop_due(now, max_messages):
                return due
            left = min(deadline, self._deliveries.next_due()) - now
            whole_seconds = int(left + _ROUNDING_SECONDS)
            if received := self._poll(max_messages, whole_seconds):
                return received
            if time.monotonic() >= deadline:
                return []
            if whole_seconds < 1:
                time.sleep(max(0.0, left))

    def _fill_batch(self, missing: int, last: int, deadline: float) -> list[SQSDelivery]:
        """Receive up to `missing` more deliveries until the deadline.

        As long as the last poll, of `last` messages, was full there is a backlog, and many polls run in parallel;
        otherwise one poll at the end of the window collects the messages that arrived.
        """
        deliveries: list[SQSDelivery] = []
        while missing > 0 and (left := deadline - time.monotonic()) > 0:
            sizes, whole_seconds = [missing], int(left + _ROUNDING_SECONDS)
            if last >= MAX_ENTRIES:
                sizes, whole_seconds = _poll_sizes(missing)[:_PARALLEL_POLLS], 0
            elif whole_seconds < 1:
                time.sleep(left)
            polls = list(self._threads.map(self._try_poll, sizes, [whole_seconds] * len(sizes)))
            received = [delivery for poll in polls for delivery in poll]
            deliveries += received
            missing -= len(received)
            last = min(map(len, polls))
        return deliveries

    def _poll(self, limit: int, seconds: int) -> list[SQSDelivery]:
        """Receive up to ten messages, as soon as there are any; SQS waits for whole seconds.

        A poll of 0 seconds asks only some of SQS's servers, and polling an idle queue that way costs more:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
        """
        response = self._client.call(
            "receive_message",
            MaxNumberOfMessages=min(limit, MAX_ENTRIES),
            WaitTimeSeconds=max(0, min(seconds, LONGEST_POLL_SECONDS)),
            VisibilityTimeout=self._visibility_timeout,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=[TRACEPARENT],
        )
        return [SQSDelivery.parse(message) for message in response.get("Messages", [])]

    def _try_poll(self, limit: int, seconds: int) -> list[SQSDelivery]:
        """Poll, and return nothing if SQS is unavailable: deliveries that were received before must not be lost."""
        with suppress(QueueUnavailableError):
            return self._poll(limit, seconds)
        return []

    def _hide(self, deliveries: Sequence[SQSDelivery], seconds: int) -> list[SQSDelivery]:
        """Set the visibility timeout and return the deliveries for which SQS accepted it."""
        by_handle = {delivery.handle: delivery for delivery in deliveries}
        entries = [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle in by_handle]
        for refused in call_in_batches(self._client, "change_message_visibility_batch", entries):
            del by_handle[refused["ReceiptHandle"]]
        return list(by_handle.values())


def _poll_sizes(count: int) -> list[int]:
    return [min(MAX_ENTRIES, count - start) for start in range(0, count, MAX_ENTRIES)]
