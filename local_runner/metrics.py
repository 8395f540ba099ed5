"""Counts for Prometheus."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from core.errors import AuditLogError
from core.ports import Count
from core.reconciliation import Reconciliation
from core.wiring import Services

_DAY: Final = 24 * 60


class PrometheusMeter:
    """Implements `Meter`; `registry` is what a scrape shows, with this process's memory, time and file descriptors."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        events = Counter("audit_log_events", "Events by what became of them.", ["outcome"], registry=self.registry)
        self._counters: Final = {what: events.labels(what.value) for what in Count}

    def watch(self, services: Services) -> None:
        """Show how many events of the last day nobody can account for, asked at each scrape: any is an alarm."""
        unaccounted = Gauge(
            "audit_log_unaccounted_events",
            "Events accepted in the last day that are neither stored nor repeated, given up or waiting.",
            registry=self.registry,
        )
        unaccounted.set_function(lambda: _unaccounted(services))

    def count(self, what: Count, amount: int) -> None:
        """See `Meter.count`."""
        self._counters[what].inc(amount)


def _unaccounted(services: Services) -> float:
    """The difference of `audit-log reconcile`, with all dead letters there are; NaN while it cannot be told."""
    end = int(time.time()) // 60 - 1
    try:
        queue = services.checks["queue"]()  # first: what moves on meanwhile is counted twice, and never missed
        sums = services.tallies.sums(end - _DAY, end)
    except AuditLogError:
        return float("nan")
    waiting, dead_letters = (int(str(queue[name])) for name in ("waiting", "dead_letters"))
    result = Reconciliation(sums["accepted"], sums["stored"], sums["repeated"], dead_letters, waiting)
    return max(0, result.difference)
