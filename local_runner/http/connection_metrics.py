"""Metrics of the open connections and the memory that they hold, with their limits."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from local_runner.http.connection_limits import ConnectionLimits


class ConnectionCollector(Collector):
    """Collects `limits` and their use."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `Collector.collect`."""
        limits = self._limits
        yield GaugeMetricFamily("audit_log_connections", "Open connections.", limits.connections)
        yield GaugeMetricFamily("audit_log_max_connections", "Connections that may be open.", limits.max_connections)
        used = GaugeMetricFamily("audit_log_connection_bytes", "Memory that connections hold.", labels=["kind"])
        most = GaugeMetricFamily("audit_log_connection_max_bytes", "Memory that they may hold.", labels=["kind"])
        for kind, budget in (("requests", limits.requests), ("responses", limits.responses)):
            used.add_metric([kind], budget.used)
            most.add_metric([kind], budget.limit)
        yield used
        yield most
