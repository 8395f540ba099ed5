"""Buffer between the thread that reads from a broker and the thread that receives."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from threading import Condition
from typing import Final, Generic

from core.ports.queue import Message
from core.queues.receipts import D, Receipts
from core.queues.retry_schedule import RetrySchedule


class DeliveryBuffer(Generic[D]):
    """Deliveries that are ready, held back for a retry, or with the consumer.

    Base of the trackers of brokers whose client reads ahead. A subclass guards its own state with `_changed` too.
    """

    def __init__(self) -> None:
        self._changed: Final = Condition()
        self._ready: deque[D] = deque()
        self._retries: Final = RetrySchedule[D]()
        self._receipts: Final = Receipts[D]()
        self._wanted = 1

    def take(self, max_messages: int, wait: float, window: float) -> list[Message]:
        """Implement `EventSource.receive` for what the buffer holds or gets in time."""
        with self._changed:
            if self._wait_for(1, wait):
                self._wait_for(max_messages, window)
            count = min(max_messages, len(self._ready))
            return [self._receipts.issue(self._ready.popleft()) for _ in range(count)]

    def release(self, receipt_handles: Iterable[str]) -> list[D]:
        """Invalidate receipts and return their deliveries. Receipts that are not valid are ignored."""
        with self._changed:
            return self._receipts.release(receipt_handles)

    def schedule_retry(self, deliveries: Sequence[D], delay: float) -> None:
        """Make deliveries available again in `delay` seconds, ahead of the others because they are older."""
        with self._changed:
            self._retries.add(deliveries, time.monotonic() + delay)
            self._changed.notify_all()  # for a receive that would otherwise wait for longer than the delay

    def _append(self, deliveries: Iterable[D]) -> None:
        self._ready.extend(deliveries)
        if len(self._ready) >= self._wanted:  # wakes the receiver once for a batch, not for each message
            self._changed.notify_all()

    def _discard(self, is_gone: Callable[[D], bool]) -> None:
        """Remove deliveries that the broker gives to another consumer, and invalidate their receipts."""
        self._ready = deque(delivery for delivery in self._ready if not is_gone(delivery))
        self._retries.discard(is_gone)
        self._receipts.discard(is_gone)

    def _has_enough(self, count: int) -> bool:
        """Whether a receive of `count` deliveries need not wait."""
        return len(self._ready) >= count

    def _wait_for(self, count: int, seconds: float) -> bool:
        """Wait up to `seconds` for `count` deliveries, including retries that become due in the meantime."""
        self._wanted = count
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            self._ready.extendleft(reversed(self._retries.pop_due(now)))
            if self._has_enough(count) or now >= deadline:
                return self._has_enough(count)
            self._changed.wait(min(deadline, self._retries.next_due()) - now)
