"""What the handlers count and measure."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from core.ports.telemetry import CounterName, HistogramName
from local_runner.telemetry.histogram import BatchHistogram

_TOKENS: Final = {
    CounterName.TOKEN_ISSUED: "issued",
    CounterName.TOKEN_DENIED: "denied",
    CounterName.TOKEN_REFUSED: "refused",
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
}
_HELP: Final = {
    HistogramName.BATCH_EVENTS: "Events that were given to the store at once.",
    HistogramName.STORE_SECONDS: "Time that the store took for a batch.",
    HistogramName.ACCEPTED_TO_STORED_SECONDS: "Age of an event when it was stored, since its reception.",
}


class PrometheusMeter:
    """Implements `Meter`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        events = Counter("audit_log_events", "Events by what became of them.", ["outcome"], registry=registry)
        tokens = Counter(
            "audit_log_tokens", "Tokens: given out, denied to a client, refused in a request.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self._counters: Final = {
            what: tokens.labels(_TOKENS[what]) if what in _TOKENS else events.labels(what.value) for what in CounterName
        }
        self._histograms: Final = {
            what: BatchHistogram(f"audit_log_{what.value}", _HELP[what], _BUCKETS[what]) for what in HistogramName
        }
        for histogram in self._histograms.values():
            registry.register(histogram)

    def count(self, what: CounterName, amount: int) -> None:
        """See `Meter.count`."""
        self._counters[what].inc(amount)

    def measure(self, what: HistogramName, values: Iterable[float]) -> None:
        """See `Meter.measure`."""
        self._histograms[what].observe(values)
