"""Counts of examined events, for what SQL cannot count: filters that only `matches` understands, values at a path."""

from collections import Counter
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from core.domain.matching import is_scalar, matches, typed, values_at
from core.domain.queries import EventFilter, Step
from core.domain.summaries import CustomerCount, Frequencies, TypeCount, ValueCount

MAX_FREQUENT: Final = 50
MAX_VALUE_CHARACTERS: Final = 255
"""Longer texts are not counted as values: a summary of the longest ones would exceed any response."""

_Value = TypeVar("_Value")


class Sample:
    """Counts of the matching events among those examined, over time, by type, customer and value at a path."""

    def __init__(self, wanted: EventFilter, bucket_seconds: int, by: Sequence[Step]) -> None:
        self._wanted = wanted
        self._width = bucket_seconds
        self._by = by
        self._types: Counter[str] = Counter()
        self._customers: Counter[int] = Counter()
        self._values: Counter[tuple[str | None, Any]] = Counter()
        self.buckets: Counter[int] = Counter()
        self.since: int | None = None
        """Second from which on all events were examined; None: all of any time."""

    def examine(self, newest: Iterable[Any], limit: int, seconds: float, end: int) -> None:
        """Count the rows of several slices, each with its newest first and at most `limit`, until the time is over.

        A row has the attributes of an event, and `slice`. `end` is the last second of all events.
        """
        deadline = monotonic() + seconds
        examined: Counter[int] = Counter()
        for row in newest:
            if matches(row, self._wanted):
                self._count(row)
            examined[row.slice] += 1
            if examined[row.slice] == limit:
                # The second that was reached may have further events.
                self.since = max(self.since or 0, row.timestamp_utc + 1)
            if monotonic() > deadline:  # slices that were not reached may have events of any time
                self.since = end + 1
                return

    def frequencies(self) -> Frequencies:
        """Return the most frequent types and customers, and the values if there is a path to them."""
        values = top(self._values)
        return Frequencies(
            event_types=[TypeCount(event_type=value, count=count) for value, count in top(self._types)],
            customers=[CustomerCount(customer_id=value, count=count) for value, count in top(self._customers)],
            values=[ValueCount(value=value, count=count) for (_, value), count in values] if self._by else None,
            sample=self._types.total(),
            sample_relation="eq" if self.since is None else "gte",
        )

    def _count(self, event: Any) -> None:
        self.buckets[event.timestamp_utc - event.timestamp_utc % self._width] += 1
        self._types[event.event_type] += 1
        self._customers[event.customer_id] += 1
        if self._by:
            self._values.update({typed(value) for value in values_at(event.event_data, self._by) if _is_short(value)})


def top(counter: Counter[_Value]) -> list[tuple[_Value, int]]:
    """Return the most frequent values. Ties are ordered by value, so that results are reproducible."""
    found = [(value, count) for value, count in counter.items() if count]
    return sorted(found, key=lambda item: (-item[1], item[0]))[:MAX_FREQUENT]


def _is_short(value: Any) -> bool:
    return is_scalar(value) and not (isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS)
