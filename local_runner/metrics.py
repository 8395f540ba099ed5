"""Counts for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, ProcessCollector

from core.ports import Count


class PrometheusMeter:
    """Implements `Meter`; `registry` is what a scrape shows, with this process's memory, time and file descriptors."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        events = Counter("audit_log_events", "Events by what became of them.", ["outcome"], registry=self.registry)
        self._counters: Final = {what: events.labels(what.value) for what in Count}

    def count(self, what: Count, amount: int) -> None:
        """See `Meter.count`."""
        self._counters[what].inc(amount)
