"""Histogram that counts a batch of observations at once."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """A histogram of prometheus_client takes 3 µs for each observation, a tenth of storing an event; this one 0.1 µs.

    Safe to use from several threads.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        """`bounds` are the upper bounds of the buckets, ascending, without infinity."""
        self._name: Final = name
        self._documentation: Final = documentation
        self._bounds: Final = tuple(bounds)
        self._lock = Lock()
        self._counts = [0] * (len(bounds) + 1)
        """Observations up to each bound, and all."""
        self._sum = 0.0

    def observe(self, values: Iterable[float]) -> None:
        """Add observations."""
        ascending = sorted(values)
        with self._lock:
            for place, bound in enumerate(self._bounds):
                self._counts[place] += bisect_right(ascending, bound)
            self._counts[-1] += len(ascending)
            self._sum += sum(ascending)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See `Collector.collect`."""
        with self._lock:
            counts, total = self._counts.copy(), self._sum
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        buckets = list(zip(names, counts, strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=total)
