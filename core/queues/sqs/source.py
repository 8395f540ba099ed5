"""Takes events out of SQS."""

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

_POLLS: Final = 8  # at the same time, while there is a backlog
_JUST_BEGUN: Final = 0.01  # seconds that a wait of whole ones may have lost on its way here


class SQSSource:
    """Implements `EventSource`, for one thread that receives. Connects at first use.

    The queue's redrive policy makes the dead letters. SQS counts every receive, so a message whose retry does not count
    stays here, invisible to others, until its pause is over; if this process dies meanwhile it comes to another. A
    receipt ends with the receive it is of, and with `delete` and `retry_after`.
    """

    def __init__(self, url: str, *, visibility_timeout: int = 60) -> None:
        """`url` as in `SQSAddress`; a message that is not settled for `visibility_timeout` seconds comes again.

        Raises:
            InvalidSettingsError: the URL is not one of an SQS queue.
        """
        self._client = SQSClient(SQSAddress.parse(url))
        self._visibility_timeout: Final = visibility_timeout
        self._deliveries = SQSDeliveryTracker()
        self._threads = ThreadPoolExecutor(_POLLS, thread_name_prefix="audit-log polls")

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        """See `EventSource.receive`."""
        deliveries = self._first(max_messages, time.monotonic() + wait)
        if deliveries:
            deliveries += self._more(max_messages - len(deliveries), len(deliveries), time.monotonic() + window)
        return [self._deliveries.give(delivery) for delivery in deliveries]

    def delete(self, receipt_handles: Iterable[str]) -> None:
        """See `EventSource.delete`."""
        deliveries = self._deliveries.release(receipt_handles)
        call_in_batches(self._client, "delete_message_batch", [{"ReceiptHandle": each.handle} for each in deliveries])

    def retry_after(self, receipt_handles: Sequence[str], delay: float, *, counted: bool = True) -> None:
        """See `EventSource.retry_after`. SQS knows whole seconds: a `delay` that counts is rounded up."""
        deliveries = self._deliveries.release(receipt_handles)
        if counted:
            self._hide(deliveries, math.ceil(delay))
        else:
            until = time.monotonic() + delay
            # A message that cannot be hidden for so long is another's by now, or has been out for 12 hours.
            self._deliveries.pause(self._hide(deliveries, math.ceil(delay) + self._visibility_timeout), until)

    def close(self) -> None:
        """Give back what is not settled, which comes to another consumer at once, and disconnect, for good."""
        with suppress(QueueUnavailableError):  # it comes when its timeout is over
            self._hide(self._deliveries.take_all(), 0)
        self._threads.shutdown()
        self._client.close()

    def _first(self, max_messages: int, deadline: float) -> list[SQSDelivery]:
        """What comes first, of what is paused here and what is in the queue."""
        while True:
            now = time.monotonic()
            if due := self._deliveries.due(now, max_messages):
                return due
            left = min(deadline, self._deliveries.next_due()) - now
            whole = int(left + _JUST_BEGUN)
            if received := self._poll(max_messages, whole):
                return received
            if time.monotonic() >= deadline:
                return []
            if whole < 1:
                time.sleep(max(0.0, left))

    def _more(self, missing: int, last: int, until: float) -> list[SQSDelivery]:
        """What comes until then: by many polls at once as long as the answers are full, else by one at the end."""
        deliveries: list[SQSDelivery] = []
        while missing > 0 and (left := until - time.monotonic()) > 0:
            sizes, whole = [missing], int(left + _JUST_BEGUN)
            if last >= MAX_ENTRIES:
                sizes, whole = _tens(missing)[:_POLLS], 0
            elif whole < 1:
                time.sleep(left)
            answers = list(self._threads.map(self._try_poll, sizes, [whole] * len(sizes)))
            received = [delivery for answer in answers for delivery in answer]
            deliveries += received
            missing -= len(received)
            last = min(map(len, answers))
        return deliveries

    def _poll(self, at_most: int, seconds: int) -> list[SQSDelivery]:
        """Up to ten messages, as soon as there are any. SQS waits for whole seconds.

        Without a wait it looks into some of its servers only, and asked again and again it would cost more:
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
        """
        answer = self._client.call(
            "receive_message",
            MaxNumberOfMessages=min(at_most, MAX_ENTRIES),
            WaitTimeSeconds=max(0, min(seconds, LONGEST_POLL_SECONDS)),
            VisibilityTimeout=self._visibility_timeout,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=[TRACEPARENT],
        )
        return [SQSDelivery.of(message) for message in answer.get("Messages", [])]

    def _try_poll(self, at_most: int, seconds: int) -> list[SQSDelivery]:
        """Nothing if SQS cannot be reached: what was received before that must not be lost with it."""
        with suppress(QueueUnavailableError):
            return self._poll(at_most, seconds)
        return []

    def _hide(self, deliveries: Sequence[SQSDelivery], seconds: int) -> list[SQSDelivery]:
        """Keep messages from others for so long, from now on; those for which SQS does so."""
        by_handle = {delivery.handle: delivery for delivery in deliveries}
        entries = [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle in by_handle]
        for refused in call_in_batches(self._client, "change_message_visibility_batch", entries):
            del by_handle[refused["ReceiptHandle"]]
        return list(by_handle.values())


def _tens(count: int) -> list[int]:
    return [min(MAX_ENTRIES, count - start) for start in range(0, count, MAX_ENTRIES)]
