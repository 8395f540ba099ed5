"""Deliveries that this process holds back until their retry is due."""

import heapq
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

D = TypeVar("D")


class RetrySchedule(Generic[D]):
    """A heap of deliveries by due time, in seconds of the monotonic clock. Not synchronised: callers hold a lock."""

    def __init__(self) -> None:
        self._numbers: Final = itertools.count()  # decides between equal times, as deliveries cannot be compared
        self._heap: list[tuple[float, int, D]] = []

    def add(self, deliveries: Iterable[D], due_at: float) -> None:
        """Hold deliveries back until `due_at`."""
        for delivery in deliveries:
            heapq.heappush(self._heap, (due_at, next(self._numbers), delivery))

    def pop_due(self, now: float, limit: float = math.inf) -> list[D]:
        """Remove and return up to `limit` deliveries that are due at `now`, in the order of their due times."""
        due: list[D] = []
        while self._heap and self._heap[0][0] <= now and len(due) < limit:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def next_due(self) -> float:
        """Return the due time of the next delivery; infinity if there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def discard(self, is_gone: Callable[[D], bool]) -> None:
        """Remove all deliveries that `is_gone` selects."""
        self._heap = [entry for entry in self._heap if not is_gone(entry[2])]
        heapq.heapify(self._heap)

    def pop_all(self) -> list[D]:
        """Remove and return all deliveries."""
        return self.pop_due(math.inf)
