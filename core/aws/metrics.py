"""CloudWatch metrics through the log: the embedded metric format, which needs no request.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Lambda writes a record's extra fields to the top level of its JSON line, as the format requires, and adds the request
id: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
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
"""The only dimension of the metrics."""

ACCEPTED: Final = "EventsAccepted"
UNACCOUNTED: Final = "EventsUnaccounted"
LEDGER_FINDINGS: Final = "LedgerFindings"
STREAMS_SUSPENDED: Final = "StreamsSuspended"
STREAM_BEHIND: Final = "StreamBehindSeconds"
ALERT_RULE_BEHIND: Final = "AlertRuleBehindSeconds"
COUNTER_METRICS: Final[Mapping[CounterName, str]] = {
    CounterName.STORED: "EventsStored",
    CounterName.DUPLICATE: "EventsRepeated",
    CounterName.CONFLICT: "EventsInConflict",
    CounterName.REFUSED: "EventsRefused",
    CounterName.STREAM_DELIVERED: "EventsDelivered",
    CounterName.STREAM_REFUSED: "EventsSetAside",
    CounterName.STREAM_FAILED: "EventsDeliveryFailures",
}

HISTOGRAM_METRICS: Final[Mapping[HistogramName, tuple[str, str]]] = {
    HistogramName.BATCH_EVENTS: ("BatchEvents", "Count"),
    HistogramName.STORE_SECONDS: ("StoreSeconds", "Seconds"),
    HistogramName.ACCEPTED_TO_STORED_SECONDS: ("AcceptedToStoredSeconds", "Seconds"),
    HistogramName.STREAM_SEND_SECONDS: ("StreamSendSeconds", "Seconds"),
}
"""Metric name and unit, by histogram."""

_MAX_VALUES: Final = 100  # of one metric in one line

_log = logging.getLogger(__name__)


class LoggedMetrics:
    """Implements `Meter` and `AcceptanceRecorder` with log records of the level INFO."""

    def __init__(self, stage: str, clock: Clock = time.time) -> None:
        self._stage: Final = stage
        self._clock = clock

    def count(self, what: CounterName, amount: int) -> None:
        """Implement `Meter.count`. Accepted events are left to `record`, which knows their receive times."""
        if amount and what in COUNTER_METRICS:
            self.put(COUNTER_METRICS[what], amount)

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """Implement `Meter.measure`."""
        name, unit = HISTOGRAM_METRICS[what]
        rest = iter(values)
        while chunk := list(islice(rest, _MAX_VALUES)):
            self._write(name, chunk, self._clock(), unit)

    def record(self, events: Sequence[Event], repeats: Sequence[Event] = ()) -> None:  # noqa: ARG002 - the port's signature
        """Implement `AcceptanceRecorder.record`. Counts by minute of reception, like the counters of stored events.

        Repeats are left out: they would be accepted events of which the event store knows nothing.
        """
        by_minute: dict[int, list[str]] = defaultdict(list)
        for event in events:
            by_minute[int(event.received_at.timestamp()) // 60 * 60].append(event.event_id)
        for minute, ids in by_minute.items():
            self._write(ACCEPTED, len(ids), minute, event_ids=ids)

    def put(self, name: str, value: int, unit: str = "Count") -> None:
        """Write one value with the current time. `unit` is one of CloudWatch's."""
        self._write(name, value, self._clock(), unit)

    def _write(self, name: str, value: int | list[float], at: float, unit: str = "Count", **more: object) -> None:
        description = {
            "Timestamp": int(at * 1000),
            "CloudWatchMetrics": [
                {"Namespace": NAMESPACE, "Dimensions": [[STAGE]], "Metrics": [{"Name": name, "Unit": unit}]}
            ],
        }
        _log.info("metric_emitted", extra={"_aws": description, STAGE: self._stage, name: value, **more})
