"""What the handlers count and measure."""

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from core.ports.telemetry import CounterName, HistogramName
from local_runner.telemetry.plain_histogram import PlainHistogram

_TOKENS: Final = {
    CounterName.TOKEN_ISSUED: "issued",
    CounterName.TOKEN_DENIED: "denied",
    CounterName.TOKEN_REFUSED: "refused",
}
_WITNESSES: Final = {
    CounterName.WITNESS_COSIGNED: "cosigned",
    CounterName.WITNESS_REFUSED: "refused",
    CounterName.WITNESS_UNAVAILABLE: "unavailable",
}
_ANCHORS: Final = {CounterName.ANCHOR_STORED: "stored", CounterName.ANCHOR_FAILED: "failed"}
_STREAMS: Final = {
    CounterName.STREAM_DELIVERED: "delivered",
    CounterName.STREAM_REFUSED: "refused",
    CounterName.STREAM_FAILED: "failed",
}
_BUCKETS: Final = {
    HistogramName.BATCH_EVENTS: (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
    HistogramName.STORE_SECONDS: (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    HistogramName.ACCEPTED_TO_STORED_SECONDS: (
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        1800,
        7200,
    ),
    HistogramName.STREAM_SEND_SECONDS: (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
}
_HELP: Final = {
    HistogramName.BATCH_EVENTS: "Events that were given to the store at once.",
    HistogramName.STORE_SECONDS: "Time that the store took for a batch.",
    HistogramName.ACCEPTED_TO_STORED_SECONDS: "Age of an event when it was stored, since its reception.",
    HistogramName.STREAM_SEND_SECONDS: "Time that the destination of a stream took for a batch.",
}


class PrometheusMeter(Collector):
    """Implements `Meter` by plain numbers, which are shown at a scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock: Final = Lock()
        self._counts: Final = dict.fromkeys(CounterName, 0)
        self._histograms: Final = {what: PlainHistogram(_BUCKETS[what]) for what in HistogramName}
        registry.register(self)

    def count(self, what: CounterName, amount: int) -> None:
        """See `Meter.count`."""
        with self._lock:
            self._counts[what] += amount

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """See `Meter.measure`."""
        self._histograms[what].observe_all(values)

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """See `Collector.collect`."""
        events = CounterMetricFamily("audit_log_events", "Events by what became of them.", labels=["outcome"])
        tokens = CounterMetricFamily(
            "audit_log_tokens", "Tokens: given out, denied to a client, refused in a request.", labels=["outcome"]
        )
        witnesses = CounterMetricFamily(
            "audit_log_ledger_witness_answers", "Answers of witnesses to checkpoints.", labels=["outcome"]
        )
        anchors = CounterMetricFamily(
            "audit_log_ledger_anchors", "Copies of checkpoints in other places.", labels=["outcome"]
        )
        streams = CounterMetricFamily(
            "audit_log_stream_outcomes",
            "Events of streams delivered and refused, and attempts that failed.",
            labels=["outcome"],
        )
        families = ((tokens, _TOKENS), (witnesses, _WITNESSES), (anchors, _ANCHORS), (streams, _STREAMS))
        for what, number in self._counts.items():
            family, outcomes = next((each for each in families if what in each[1]), (events, {what: what.value}))
            family.add_metric([outcomes[what]], number)
        yield from (events, tokens, witnesses, anchors, streams)
        for name, histogram in self._histograms.items():
            family_of_name = HistogramMetricFamily(f"audit_log_{name.value}", _HELP[name])
            histogram.add_to(family_of_name)
            yield family_of_name
