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
            "sample": 3,
            "sample_relation": "eq",
        },
    }


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
