"""Metrics that CloudWatch takes out of the log: the embedded metric format, which costs no call and no wait.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Lambda writes a record's extra fields at the top of its JSON line, where the format wants them, and the id of the
invocation beside them: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from core.domain.clock import Clock
from core.domain.models import Event
from core.ports.telemetry import CounterName, HistogramName

NAMESPACE: Final = "AuditLog"
STAGE: Final = "Stage"
"""The one dimension of all metrics."""

ACCEPTED: Final = "EventsAccepted"
UNACCOUNTED: Final = "EventsUnaccounted"
COUNTED: Final[Mapping[CounterName, str]] = {
    CounterName.STORED: "EventsStored",
    CounterName.DUPLICATE: "EventsRepeated",
    CounterName.CONFLICT: "EventsInConflict",
    CounterName.REFUSED: "EventsRefused",
}

MEASURED: Final[Mapping[HistogramName, tuple[str, str]]] = {
    HistogramName.BATCH_EVENTS: ("BatchEvents", "Count"),
    HistogramName.STORE_SECONDS: ("StoreSeconds", "Seconds"),
    HistogramName.ACCEPTED_TO_STORED_SECONDS: ("AcceptedToStoredSeconds", "Seconds"),
}
"""Name and unit."""

_MOST_VALUES: Final = 100  # of a metric in one line

_log = logging.getLogger(__name__)


class LoggedMetrics:
    """Implements `Meter` and `AcceptanceRecorder` by lines of the log, of the level INFO."""

    def __init__(self, stage: str, clock: Clock = time.time) -> None:
        self._stage: Final = stage
        self._clock = clock

    def count(self, what: CounterName, amount: int) -> None:
        """See `Meter.count`. What is accepted is counted as `AcceptanceRecorder`, which knows when that was."""
        if amount and what in COUNTED:
            self.put(COUNTED[what], amount)

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """See `Meter.measure`."""
        name, unit = MEASURED[what]
        rest = iter(values)
        while some := list(islice(rest, _MOST_VALUES)):
            self._write(name, some, self._clock(), unit)

    def accepted(self, events: Sequence[Event]) -> None:
        """See `Ledger.accepted`: counted in the minute of reception, as in the tallies of what is stored."""
        by_minute: dict[int, list[str]] = defaultdict(list)
        for event in events:
            by_minute[int(event.received_at.timestamp()) // 60 * 60].append(event.event_id)
        for minute, ids in by_minute.items():
            self._write(ACCEPTED, len(ids), minute, event_ids=ids)

    def put(self, name: str, value: int) -> None:
        """One value of now."""
        self._write(name, value, self._clock())

    def _write(self, name: str, value: int | list[float], at: float, unit: str = "Count", **more: object) -> None:
        description = {
            "Timestamp": int(at * 1000),
            "CloudWatchMetrics": [
                {"Namespace": NAMESPACE, "Dimensions": [[STAGE]], "Metrics": [{"Name": name, "Unit": unit}]}
            ],
        }
        _log.info("counted", extra={"_aws": description, STAGE: self._stage, name: value, **more})
