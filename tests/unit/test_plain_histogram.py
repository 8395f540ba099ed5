import math
import random
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from local_runner.telemetry.plain_histogram import PlainHistogram

BOUNDS = (0.01, 0.5, 1, 2.5, 7200)


class Ages(Collector):
    def __init__(self) -> None:
        self.histogram = PlainHistogram(BOUNDS)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily("age_seconds", "Age.")
        self.histogram.add_to(family)
        yield family


@pytest.mark.parametrize("at_once", [True, False])
def test_a_plain_histogram_exposes_the_numbers_of_prometheus_client(*, at_once: bool) -> None:
    expected, registry, ages = CollectorRegistry(), CollectorRegistry(), Ages()
    registry.register(ages)
    reference = Histogram("age_seconds", "Age.", buckets=BOUNDS, registry=expected)
    chance = random.Random(1)  # noqa: S311 - the same values every time
    batches = [[], [0.5], [*map(float, BOUNDS)], [chance.choice((0.001, 1, 5000)) * chance.random() for _ in range(99)]]
    for batch in batches:
        if at_once:
            ages.histogram.observe_all(iter(batch))
        for value in batch:
            reference.observe(value)
            if not at_once:
                ages.histogram.observe(value)

    def lines(registry: CollectorRegistry) -> list[str]:
        shown = generate_latest(registry).decode().splitlines()
        return [line for line in shown if "_created" not in line and "_sum" not in line]

    assert lines(registry) == lines(expected)
    total = registry.get_sample_value("age_seconds_sum")
    assert total is not None
    assert math.isclose(total, sum(map(sum, batches)))


def test_a_plain_histogram_shows_its_buckets_before_the_first_observation() -> None:
    registry = CollectorRegistry()
    registry.register(Ages())
    assert registry.get_sample_value("age_seconds_bucket", {"le": "+Inf"}) == 0
    assert registry.get_sample_value("age_seconds_count") == 0
