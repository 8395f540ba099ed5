"""What the checks of `/ready` say, as numbers: each is asked once at a scrape."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from core.domain.reconciliation import Reconciliation
from core.errors import AuditLogError
from core.wiring import Services

_log = logging.getLogger(__name__)

_DAY: Final = 24 * 60  # minutes

_GAUGES: Final = {
    ("queue", "waiting"): ("audit_log_queue_waiting", "Accepted events that nobody works on yet."),
    ("queue", "in_flight"): ("audit_log_queue_in_flight", "Events in the consumer's hands or waiting for a retry."),
    ("queue", "oldest_age_seconds"): ("audit_log_queue_oldest_age_seconds", "Age of the oldest event in the queue."),
    ("queue", "capacity"): ("audit_log_queue_capacity", "Events that the queue takes."),
    ("queue", "bytes"): ("audit_log_queue_bytes", "Memory that the queue's events take."),
    ("queue", "max_bytes"): ("audit_log_queue_max_bytes", "Memory that they may take."),
    ("queue", "dead_letters"): ("audit_log_dead_letters", "Events that were given up and not put back."),
    ("dead_letters", "count"): ("audit_log_dead_letters", "Events that were given up and not put back."),
    ("spool", "bytes"): ("audit_log_spool_bytes", "Size of the spool on disk."),
    ("spool", "max_bytes"): ("audit_log_spool_max_bytes", "Size that the spool may have."),
    ("spool", "corrupt"): ("audit_log_spool_corrupt", "Places in the spool that were damaged when it was read."),
}
"""By check and fact: the metric. A fact that a check does not tell, such as a broker's capacity, is not shown."""

Facts = Mapping[str, Mapping[str, Any] | None]
"""By name of the check: what it tells; None: it fails."""


class StateCollector(Collector):
    """Asks the checks of `services`; `restarts` counts those of the consumer, where this process has one."""

    def __init__(self, services: Services, *, restarts: Callable[[], int] | None) -> None:
        self._services = services
        self._restarts = restarts

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """See `Collector.collect`."""
        facts = {name: _facts(check) for name, check in self._services.checks.items()}
        works = GaugeMetricFamily("audit_log_check_ok", "Whether a check of /ready succeeds.", labels=["check"])
        for name, told in facts.items():
            works.add_metric([name], float(told is not None))
        yield works
        for (check, fact), (metric, text) in _GAUGES.items():
            if (told := facts.get(check)) and fact in told:
                yield GaugeMetricFamily(metric, text, told[fact])
        if self._restarts is None:
            return
        yield CounterMetricFamily(
            "audit_log_consumer_restarts", "How often the consumer died and was started again.", self._restarts()
        )
        yield GaugeMetricFamily(
            "audit_log_unaccounted_events",
            "Events accepted in the last day that are neither stored nor repeated, given up or waiting.",
            self._unaccounted(facts),
        )

    def _unaccounted(self, facts: Facts) -> float:
        """The difference of `audit-log reconcile`, with all dead letters there are; NaN while it cannot be told.

        The checks were asked before the sums: what moves on meanwhile is counted twice, and never missed.
        """
        queue, letters = facts.get("queue"), facts.get("dead_letters", {})
        if queue is None or letters is None:
            return float("nan")
        end = int(time.time()) // 60 - 1
        try:
            sums = self._services.event_counters.sums(end - _DAY, end)
        except AuditLogError:
            return float("nan")
        held = queue["waiting"] + queue.get("in_flight", 0)
        given_up = letters.get("count", queue.get("dead_letters", 0))
        result = Reconciliation(sums["accepted"], sums["stored"], sums["repeated"], given_up, held)
        return max(0, result.difference)


def _facts(check: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    try:
        return check()
    except AuditLogError:
        return None
    except Exception:  # noqa: BLE001 - a check with a bug must not hide everything else: logged, and it fails
        _log.exception("a check broke")
        return None
