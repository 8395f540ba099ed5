import math
import random

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from local_runner.telemetry.histogram import BatchHistogram

BOUNDS = (0.01, 0.5, 1, 2.5, 7200)


def test_a_batch_histogram_exposes_what_the_histogram_of_prometheus_client_does() -> None:
    expected, batched = CollectorRegistry(), CollectorRegistry()
    one = Histogram("age_seconds", "Age.", buckets=BOUNDS, registry=expected)
    histogram = BatchHistogram("age_seconds", "Age.", BOUNDS)
    batched.register(histogram)
    chance = random.Random(1)  # noqa: S311 - the same values every time
    batches = [[], [0.5], [*map(float, BOUNDS)], [chance.choice((0.001, 1, 5000)) * chance.random() for _ in range(99)]]
    for batch in batches:
        histogram.observe(iter(batch))
        for value in batch:
            one.observe(value)

    def lines(registry: CollectorRegistry) -> list[str]:
        shown = generate_latest(registry).decode().splitlines()
        return [line for line in shown if "_created" not in line and "_sum" not in line]

    assert lines(batched) == lines(expected)
    total = batched.get_sample_value("age_seconds_sum")
    assert total is not None
    assert math.isclose(total, sum(map(sum, batches)))


def test_a_batch_histogram_shows_its_buckets_before_the_first_observation() -> None:
    registry = CollectorRegistry()
    registry.register(BatchHistogram("age_seconds", "Age.", BOUNDS))
    assert registry.get_sample_value("age_seconds_bucket", {"le": "+Inf"}) == 0
    assert registry.get_sample_value("age_seconds_count") == 0
