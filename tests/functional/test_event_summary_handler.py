from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.event_summary import summarize_events
from tests.support.builders import event
from tests.support.fakes import Answer, FakeGateway, FakeQueue, FakeStore


@pytest.fixture
def services(settings: Settings, queue: FakeQueue, sqlite_store: SqlEventStore) -> Iterator[Services]:
    """With the summaries that the settings lead to, in the database of `sqlite_store`."""
    with closing(Services(settings, publisher=queue, reader=sqlite_store, writer=sqlite_store)) as built:
        yield built


def ask(services: Services, *query: tuple[str, str], customers: Sequence[int] | None = None) -> Answer:
    gateway = FakeGateway(services, customers=customers)
    return gateway.call(summarize_events, path="/event/summary", query=query)


def test_a_summary_says_what_there_is_and_when(services: Services) -> None:
    services.writer.add([event(1, timestamp_utc=100), event(2, timestamp_utc=100), event(3, timestamp_utc=103)])
    answer = ask(services, ("timestamp_start_utc", "99"), ("timestamp_end_utc", "103"))
    assert answer.status == 200
    assert answer.json == {
        "start": 99,
        "end": 103,
        "bucket_seconds": 1,
        "buckets": [{"start": at, "count": count} for at, count in [(99, 0), (100, 2), (101, 0), (102, 0), (103, 1)]],
        "total_count": 3,
        "total_relation": "eq",
        "counted_from": 99,
        "frequent": {
            "event_types": [{"event_type": "user.login", "count": 3}],
            "customers": [{"customer_id": 42, "count": 3}],
            "values": None,
            "sample": 3,
            "sample_relation": "eq",
        },
    }


def test_the_values_at_a_path_are_counted_in_each_event_once(services: Services) -> None:
    data = [
        {"tags": [1, 1.0, "1"]},
        {"tags": [1, True, None, {"a": 1}, [1], "x" * 256]},
        {"tags": "no array"},
        {"other": 1},
    ]
    services.writer.add([event(number, event_data=each) for number, each in enumerate(data)])
    answer = ask(services, ("by", "event_data.tags[*]"))
    assert [(row["value"], row["count"]) for row in answer.json["frequent"]["values"]] == [
        (1, 2), (True, 1), (None, 1), ("1", 1),
    ]  # fmt: skip
    assert ask(services, ("by", "event_data.tags[*]"), ("customer_id", "7")).json["frequent"]["values"] == []


def test_a_summary_takes_every_filter(services: Services) -> None:
    services.writer.add([event(number, timestamp_utc=100 + number, event_data={"size": number}) for number in range(9)])
    answer = ask(services, ("event_data.size[gte]", "6"), ("by", "event_data.size")).json
    assert (answer["total_count"], answer["total_relation"], answer["start"], answer["end"]) == (3, "eq", 100, 108)
    assert [(row["value"], row["count"]) for row in answer["frequent"]["values"]] == [(6, 1), (7, 1), (8, 1)]


@pytest.mark.parametrize("path", ["", "size", "event_data", "event_data.", "event_data.a[gte]", "event_type"])
def test_what_is_no_path_into_the_data_cannot_be_counted(services: Services, path: str) -> None:
    answer = ask(services, ("by", path))
    assert (answer.status, set(answer.errors)) == (422, {"by"})


def test_a_token_for_certain_customers_hears_of_no_other(services: Services) -> None:
    services.writer.add([event(n, customer_id=n, event_type=f"type {n}", timestamp_utc=100 * n) for n in range(1, 5)])
    answer = ask(services, customers=[2, 3]).json
    assert (answer["start"], answer["end"], answer["total_count"]) == (200, 300, 2)
    assert [row["customer_id"] for row in answer["frequent"]["customers"]] == [2, 3]
    assert [row["event_type"] for row in answer["frequent"]["event_types"]] == ["type 2", "type 3"]
    assert ask(services, ("customer_id", "4"), customers=[2, 3]).json["total_count"] == 0
    assert ask(services, customers=[]).json["start"] is None


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ([("event_typ", "x")], {"event_typ"}),
        ([("limit", "1"), ("cursor", "x"), ("order", "asc"), ("offset", "0")], {"limit", "cursor", "order", "offset"}),
        ([("timestamp_start_utc", "2"), ("timestamp_end_utc", "1")], {"timestamp_start_utc"}),
        ([("customer_id", "x"), ("event_data.", "1")], {"customer_id", "event_data."}),
    ],
)
def test_what_is_no_filter_is_refused(services: Services, query: Sequence[tuple[str, str]], wrong: set[str]) -> None:
    answer = ask(services, *query)
    assert (answer.status, set(answer.errors)) == (422, wrong)


def test_a_store_that_is_down_is_answered_with_when_to_try_again(settings: Settings, store: FakeStore) -> None:
    store.down = True
    answer = ask(Services(settings, summaries=store))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
