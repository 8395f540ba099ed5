"""What a summary says of the events that a filter leaves, and that it looks at no more of them than it may."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.domain.queries import DataFilter, EventFilter
from core.domain.summaries import MAX_BUCKETS, Summary
from core.ports.store import EventStore
from core.stores import summaries
from core.stores.sql import SqlEventStore
from tests.support.builders import event
from tests.support.fakes import FakeStore
from tests.support.stores import DatabaseStore, parts_of

Summarize = Callable[..., Summary]


@pytest.fixture
def summarize(event_store: EventStore) -> Summarize:
    """A summary of the events in the store that hold these conditions."""
    source = event_store if isinstance(event_store, FakeStore) else parts_of(event_store).summaries  # type: ignore[arg-type]
    return lambda **conditions: source.summarize(EventFilter(**conditions))


@pytest.fixture
def bounds() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def counts(summary: Summary) -> dict[int, int]:
    return {bucket.start: bucket.count for bucket in summary.buckets if bucket.count}


def types(summary: Summary) -> list[tuple[str, int]]:
    return [(row.event_type, row.count) for row in summary.frequent.event_types]


def customers(summary: Summary) -> list[tuple[int, int]]:
    return [(row.customer_id, row.count) for row in summary.frequent.customers]


def test_events_are_counted_in_buckets_that_leave_no_gap(event_store: EventStore, summarize: Summarize) -> None:
    event_store.add([event(number, timestamp_utc=1000 + number * 60) for number in range(50)])
    summary = summarize(start=990, end=5000)
    assert (summary.start, summary.end, summary.bucket_seconds) == (990, 5000, 300)
    assert [bucket.start for bucket in summary.buckets] == list(range(900, 5001, 300))
    assert counts(summary) == {900: 4, 3900: 1} | dict.fromkeys(range(1200, 3900, 300), 5)
    assert (summary.total_count, summary.total_relation, summary.counted_from) == (50, "eq", 990)


def test_without_a_range_it_goes_from_the_oldest_to_the_newest(event_store: EventStore, summarize: Summarize) -> None:
    event_store.add([event(1, timestamp_utc=7), event(2, timestamp_utc=253_402_300_799), event(3, timestamp_utc=9)])
    summary = summarize()
    assert (summary.start, summary.end) == (7, 253_402_300_799)
    assert len(summary.buckets) <= MAX_BUCKETS
    assert (summary.total_count, summary.buckets[0].count, summary.buckets[-1].count) == (3, 2, 1)
    assert (summarize(start=8).start, summarize(end=8).end) == (8, 8)


def test_of_no_event_there_is_an_empty_summary(summarize: Summarize) -> None:
    for conditions in ({}, {"start": 5, "end": 9}, {"visible_customers": ()}):
        summary = summarize(**conditions)
        assert (summary.buckets, summary.total_count, summary.total_relation) == ([], 0, "eq")
        assert (types(summary), customers(summary), summary.frequent.sample) == ([], [], 0)


def test_types_and_customers_come_with_the_most_frequent_first(event_store: EventStore, summarize: Summarize) -> None:
    event_store.add(
        [event(number, event_type="bac"[number % 3], customer_id=2**63 - 1 - number // 6) for number in range(9)]
    )
    event_store.add([event(20, event_type="c", customer_id=-5)])
    summary = summarize()
    assert types(summary) == [("c", 4), ("a", 3), ("b", 3)]
    assert customers(summary) == [(2**63 - 1, 6), (2**63 - 2, 3), (-5, 1)]
    assert (summary.frequent.sample, summary.frequent.sample_relation) == (10, "eq")


@pytest.mark.parametrize(
    ("conditions", "numbers"),
    [
        ({"event_types": ("b",)}, [1, 3, 5]),
        ({"event_types": ("b", "a"), "customer_ids": (1, 2)}, [1, 2, 4, 5]),
        ({"event_types": ("b", "none")}, [1, 3, 5]),
        ({"visible_customers": (0, 1)}, [0, 1, 3, 4]),
        ({"visible_customers": (0, 1), "customer_ids": (1, 2)}, [1, 4]),
        ({"visible_customers": (0,), "customer_ids": (1,)}, []),
        ({"data": (DataFilter(path=("number",), values=(2, 3)),)}, [2, 3]),
        ({"data": (DataFilter(path=("number",), values=(2, 3)),), "event_types": ("a", "b"), "start": 103}, [3]),
        ({"event_types": tuple("abcdefghijk"), "customer_ids": tuple(range(2, 20))}, [2, 5]),
    ],
)  # fmt: skip
def test_it_counts_what_a_query_finds(
    event_store: EventStore, summarize: Summarize, conditions: dict[str, Any], numbers: list[int]
) -> None:
    event_store.add(
        [
            event(n, event_type="ab"[n % 2], customer_id=n % 3, timestamp_utc=100 + n, event_data={"number": n})
            for n in range(6)
        ]
    )
    summary = summarize(**conditions)
    assert counts(summary) == {100 + number: 1 for number in numbers}
    assert summary.total_count == summary.frequent.sample == len(numbers)
    assert sum(count for _, count in types(summary)) == sum(count for _, count in customers(summary)) == len(numbers)


def test_beyond_its_bounds_it_says_from_when_on_it_is_exact(
    sql_store: SqlEventStore, bounds: pytest.MonkeyPatch
) -> None:
    sql_store.add([event(number, timestamp_utc=number // 2, event_type="ab"[number % 2]) for number in range(100)])
    bounds.setattr(summaries, "COUNTED", 31)
    bounds.setattr(summaries, "SAMPLED", 10)
    summary = parts_of(sql_store).summaries.summarize(EventFilter())
    # Of second 34 one event was reached, which does not reveal their number.
    assert (summary.total_count, summary.total_relation, summary.counted_from) == (31, "gte", 35)
    assert counts(summary) == {34: 1} | dict.fromkeys(range(35, 50), 2)
    assert (summary.frequent.sample, summary.frequent.sample_relation) == (10, "gte")

    summary = parts_of(sql_store).summaries.summarize(EventFilter(event_types=("a", "b", "none")))
    assert (summary.total_count, summary.counted_from) == (20, 41)
    assert all(bucket.count == 2 for bucket in summary.buckets if bucket.start >= 41)


def test_a_filter_on_the_data_looks_at_no_more_events_either(
    sql_store: SqlEventStore, bounds: pytest.MonkeyPatch
) -> None:
    sql_store.add([event(number, timestamp_utc=number, event_data={"even": number % 2 == 0}) for number in range(100)])
    bounds.setattr(summaries, "SAMPLED", 10)
    even = DataFilter(path=("even",), values=(True,))
    summary = parts_of(sql_store).summaries.summarize(EventFilter(data=(even,)))
    assert (summary.total_count, summary.total_relation, summary.counted_from) == (5, "gte", 91)
    assert (summary.frequent.sample, summary.frequent.sample_relation) == (5, "gte")


def test_values_at_a_path_are_counted_over_all_types_and_customers(database_store: DatabaseStore) -> None:
    database_store.add(
        [
            event(number, event_type="ab"[number % 2], customer_id=number % 3, event_data={"tags": [number % 4, True]})
            for number in range(12)
        ]
    )
    wanted = EventFilter(event_types=("a", "b"), visible_customers=(0, 1))
    summary = parts_of(database_store).summaries.summarize(wanted, ("tags", None))
    values = summary.frequent.values
    assert values is not None
    assert [(row.value, row.count) for row in values] == [(True, 8), (0, 2), (1, 2), (2, 2), (3, 2)]
    assert (summary.total_count, summary.frequent.sample, summary.frequent.sample_relation) == (8, 8, "eq")


def test_an_examination_whose_time_is_over_says_that_no_count_is_exact(
    database_store: DatabaseStore, bounds: pytest.MonkeyPatch
) -> None:
    database_store.add([event(number, timestamp_utc=number) for number in range(100)])
    bounds.setattr(parts_of(database_store).summaries_module, "EXAMINE_SECONDS", 0)
    summary = parts_of(database_store).summaries.summarize(EventFilter(words=("login",)))
    assert (summary.total_count, summary.total_relation, summary.counted_from) == (1, "gte", 100)
    assert (summary.frequent.sample, summary.frequent.sample_relation) == (1, "gte")
