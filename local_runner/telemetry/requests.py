"""Requests by route, method and class of their status."""

from collections import Counter
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from local_runner.telemetry.plain_histogram import PlainHistogram

OTHER: Final = "other"
"""Stands for every path that is no route, and every method that HTTP does not define, so that labels stay few."""

_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_SHOWN: Final = ("2xx", "4xx", "5xx")


class RequestMetrics(Collector):
    """Counts requests; one pays about a microsecond for it. Safe to use from several threads."""

    def __init__(self, registry: CollectorRegistry, routes: Iterable[tuple[str, str]]) -> None:
        """`routes` are methods and paths, which are shown from the start: a rate needs a value to start from."""
        self._declared: Final = [(path, method) for method, path in routes]
        self._seconds: dict[tuple[str, str, str], PlainHistogram] = {}
        for route, method in self._declared:
            for status in _SHOWN:
                self._seconds[route, method, status] = PlainHistogram(_BUCKETS)
        self._in_flight: set[Observation] = set()
        registry.register(self)

    def begin(self, method: str) -> "Observation":
        """Count a request as in flight. The caller sets its route and status when they are known."""
        observation = Observation(method)
        self._in_flight.add(observation)
        return observation

    def end(self, observation: "Observation") -> float:
        """Count a request as answered, and return the seconds since its begin."""
        self._in_flight.discard(observation)
        seconds = perf_counter() - observation.started
        key = (observation.route, observation.method, _CLASSES[observation.status // 100 - 1])
        histogram = self._seconds.get(key)
        if histogram is None:
            histogram = self._seconds.setdefault(key, PlainHistogram(_BUCKETS))
        histogram.observe(seconds)
        return seconds

    def collect(self) -> Iterator[HistogramMetricFamily | GaugeMetricFamily]:
        """See `Collector.collect`: the answered requests, and those in flight."""
        seconds = HistogramMetricFamily(
            "audit_log_http_request_seconds",
            "Time from the whole request to its answer; the count is that of the requests.",
            labels=["route", "method", "status"],
        )
        for labels, histogram in self._seconds.copy().items():
            histogram.add_to(seconds, labels)
        yield seconds
        gauge = GaugeMetricFamily(
            "audit_log_http_requests_in_flight", "Requests that wait for their answer.", labels=["route", "method"]
        )
        now = Counter((each.route, each.method) for each in self._in_flight.copy())
        for place in sorted({*self._declared, *now}):
            gauge.add_metric(place, now[place])
        yield gauge


class Observation:
    """A request in progress with the `route` and `status` known so far. An error that escapes is a 500."""

    __slots__ = ("method", "route", "started", "status")

    def __init__(self, method: str) -> None:
        self.started = perf_counter()
        self.method = method if method in _METHODS else OTHER
        self.route = OTHER
        self.status = 500
