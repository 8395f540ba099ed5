"""State metrics: queue, spool, dead letters, checks and unaccounted events, each read once at a scrape."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from core.domain.reconciliation import Window
from core.errors import AuditLogError
from core.ports.queue import QueueStatistics
from core.stores.reconciliation import reconcile
from core.wiring import Services

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_SETTLING: Final = timedelta(minutes=1)
"""Younger events may not be counted yet: processes write their counts every second."""

_QUEUE: Final = "queue"
_DEAD_LETTERS: Final = ("audit_log_dead_letters", "Events in the dead letters.")
_QUEUE_GAUGES: Final = {
    "waiting": ("audit_log_queue_waiting", "Accepted events that wait for the consumer."),
    "in_flight": ("audit_log_queue_in_flight", "Events that the consumer works on or that wait for a retry."),
    "oldest_age_seconds": ("audit_log_queue_oldest_age_seconds", "Age of the oldest event in the queue."),
    "capacity": ("audit_log_queue_capacity", "Most events that the queue holds."),
    "bytes": ("audit_log_queue_bytes", "Memory of the queue's events."),
    "max_bytes": ("audit_log_queue_max_bytes", "Bound of the memory of the queue's events."),
    "dead_letters": _DEAD_LETTERS,
}
"""Metric by figure of `QueueStatistics`. A figure that is None, such as a broker's capacity, is not shown."""

_CHECK_GAUGES: Final = {
    ("dead_letters", "count"): _DEAD_LETTERS,
    ("ledger", "size"): ("audit_log_ledger_size", "Events that have an index in the ledger."),
    ("signing", "signed"): (
        "audit_log_ledger_signed_size",
        "Entries under the checkpoint that this process signed last.",
    ),
    ("history", "findings"): ("audit_log_ledger_findings", "Contradictions that the last check of the ledger found."),
    ("history", "checked_at"): (
        "audit_log_ledger_checked_timestamp_seconds",
        "Time of the last check of the ledger, at first that of the start.",
    ),
    ("ledger", "oldest_pending_seconds"): (
        "audit_log_ledger_oldest_pending_seconds",
        "Age of the oldest stored batch whose events have no index yet.",
    ),
    ("streams", "active"): ("audit_log_streams_active", "Streams that send."),
    ("streams", "paused"): ("audit_log_streams_paused", "Streams that a person has paused."),
    ("streams", "suspended"): ("audit_log_streams_suspended", "Streams that stopped because their destination failed."),
    ("streams", "refused"): ("audit_log_stream_refusals", "Refusals of destinations that are not dealt with."),
    ("streams", "behind_seconds"): (
        "audit_log_stream_behind_seconds",
        "Time for which the next event of the slowest active stream has been stored.",
    ),
    ("alert_rules", "active"): ("audit_log_alert_rules_active", "Alert rules that are evaluated."),
    ("alert_rules", "paused"): ("audit_log_alert_rules_paused", "Alert rules that a person has paused."),
    ("alert_rules", "behind_seconds"): (
        "audit_log_alert_rule_behind_seconds",
        "Time for which the next event of the slowest active alert rule has been stored.",
    ),
    ("spool", "bytes"): ("audit_log_spool_bytes", "Size of the spool on disk."),
    ("spool", "max_bytes"): ("audit_log_spool_max_bytes", "Bound of the size of the spool on disk."),
    ("spool", "corrupt"): ("audit_log_spool_corrupt", "Damaged places found when the spool was read."),
}
"""Metric by check and fact."""

Facts = Mapping[str, Mapping[str, Any] | None]
"""Facts of each check by its name; None if it fails."""


class StateCollector(Collector):
    """Reads the checks of `services`; `restarts` counts those of the consumer, where this process has one."""

    def __init__(self, services: Services, *, restarts: Callable[[], int] | None) -> None:
        self._services = services
        self._restarts = restarts

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """See `Collector.collect`."""
        statistics = _read(self._services.queue_statistics)
        facts: Facts = {name: _read(check) for name, check in self._services.checks.items() if name != _QUEUE}
        works = GaugeMetricFamily("audit_log_check_ok", "Whether a check of /ready succeeds.", labels=["check"])
        for name, outcome in {_QUEUE: statistics, **facts}.items():
            works.add_metric([name], float(outcome is not None))
        yield works
        for figure, (metric, text) in _QUEUE_GAUGES.items():
            if (value := getattr(statistics, figure, None)) is not None:
                yield GaugeMetricFamily(metric, text, value)
        for (check, fact), (metric, text) in _CHECK_GAUGES.items():
            if (known := facts.get(check)) and fact in known:
                yield GaugeMetricFamily(metric, text, known[fact])
        if self._restarts is None:
            return
        yield CounterMetricFamily(
            "audit_log_consumer_restarts", "How often the consumer died and was started again.", self._restarts()
        )
        yield GaugeMetricFamily(
            "audit_log_unaccounted_events",
            "Events accepted in the last day that are neither stored nor repeated, given up or waiting.",
            self._unaccounted(statistics, facts),
        )

    def _unaccounted(self, statistics: QueueStatistics | None, facts: Facts) -> float:
        """The unaccounted events of the last day, counting all dead letters; NaN if a figure cannot be read."""
        letters = facts.get("dead_letters", {})
        if statistics is None or letters is None:
            return float("nan")
        window = Window.day_before(datetime.fromtimestamp(time.time(), UTC) - _SETTLING)
        counted = (lambda: int(letters["count"])) if letters else None
        try:
            result = reconcile(
                window, self._services.database.event_counters, lambda: statistics, dead_lettered=counted
            )
        except AuditLogError:
            return float("nan")
        return result.unaccounted


def _read(source: Callable[[], _T]) -> _T | None:
    """Read a check, or the queue's statistics; None if it fails."""
    try:
        return source()
    except AuditLogError:
        return None
    except Exception:  # noqa: BLE001 - a check with a bug must not hide everything else
        _log.exception("check_raised", extra={"action": "Report this traceback as a bug of the service."})
        return None
