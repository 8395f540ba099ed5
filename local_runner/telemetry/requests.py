"""Requests by route, method and class of their status."""

from collections import Counter
from collections.abc import Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

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
        self._seconds = Histogram(
            "audit_log_http_request_seconds",
            "Time from the whole request to its answer; the count is that of the requests.",
            ["route", "method", "status"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._declared: Final = [(path, method) for method, path in routes]
        self._children: dict[tuple[str, str, str], Histogram] = {}  # to look them up in the histogram costs more
        for route, method in self._declared:
            for status in _SHOWN:
                self._child(route, method, status)
        self._in_flight: set[Observation] = set()
        registry.register(self)

    def observing(self, method: str) -> "Observation":
        """Return a context manager for one request; the caller sets its route and status when they are known."""
        return Observation(self, method)

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered. `route` is the path of a route as it is declared, or `OTHER`."""
        self._child(route, _bounded(method), _CLASSES[status // 100 - 1]).observe(seconds)

    def begin(self, observation: "Observation") -> None:
        """Count a request as in flight."""
        self._in_flight.add(observation)

    def end(self, observation: "Observation") -> None:
        """Count it as answered."""
        self._in_flight.discard(observation)
        self.observe(observation.route, observation.method, observation.status, perf_counter() - observation.started)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `Collector.collect`: the requests in flight."""
        gauge = GaugeMetricFamily(
            "audit_log_http_requests_in_flight", "Requests that wait for their answer.", labels=["route", "method"]
        )
        now = Counter((each.route, each.method) for each in self._in_flight.copy())
        for labels in sorted({*self._declared, *now}):
            gauge.add_metric(labels, now[labels])
        yield gauge

    def _child(self, route: str, method: str, status: str) -> Histogram:
        key = (route, method, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*key)
        return child


class Observation:
    """A request in progress with the `route` and `status` known so far. An error that escapes is a 500."""

    __slots__ = ("_metrics", "method", "route", "started", "status")

    def __init__(self, metrics: RequestMetrics, method: str) -> None:
        self._metrics = metrics
        self.started = perf_counter()
        self.method = _bounded(method)
        self.route = OTHER
        self.status = 500

    def __enter__(self) -> Self:
        self._metrics.begin(self)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._metrics.end(self)


def _bounded(method: str) -> str:
    return method if method in _METHODS else OTHER
