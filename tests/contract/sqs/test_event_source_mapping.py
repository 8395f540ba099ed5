"""An event's way on AWS, on a local server: API handler, SQS over HTTP, event source mapping and consume handler."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from core.ports.queue import Message, QueueStatistics
from core.queues.sqs import SQSPublisher
from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.consume_events import lambda_consumer, traceparent_of
from functions.create_event import create_event
from functions.create_events import create_events
from local_runner.aws_events.sqs_event import to_sqs_event
from tests.support.builders import event, new_event
from tests.support.event_source_mapping import EventSourceMapping
from tests.support.fakes import FakeGateway, FakeStore
from tests.support.published_events import differences, published
from tests.support.queues import MAX_RECEIVES
from tests.support.sqs import queue_url


@pytest.fixture
def url() -> Iterator[str]:
    with queue_url(VisibilityTimeout="1") as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[SQSPublisher]:
    with closing(SQSPublisher(url)) as publisher:
        yield publisher


def mapping(url: str, services: Services, **options: Any) -> EventSourceMapping:
    return EventSourceMapping(url.removeprefix("sqs+"), lambda_consumer(lambda: services), **options)


def receive_counts(events: list[dict[str, Any]], event_id: str) -> list[str]:
    records = [record for each in events for record in each["Records"] if event_id in record["body"]]
    return [record["attributes"]["ApproximateReceiveCount"] for record in records]


def test_what_is_posted_is_stored_once_and_leaves_the_queue(
    url: str, publisher: SQSPublisher, settings: Settings, sqlite_store: SqlEventStore
) -> None:
    services = Services(settings, publisher=publisher, reader=sqlite_store, writer=sqlite_store)
    gateway = FakeGateway(services)
    one = gateway.call(create_event, "POST", body=new_event()).json["event_id"]
    batch = gateway.call(create_events, "POST", "/events", body={"events": [new_event() for _ in range(24)]})
    ids = [one, *(accepted["event_id"] for accepted in batch.json["accepted"])]

    lambda_ = mapping(url, services, batch_size=100, window=0.2)
    while lambda_.step():
        pass

    assert [stored.event_id for each in ids if (stored := sqlite_store.get(each))] == ids
    assert sum(len(each["Records"]) for each in lambda_.events) == 25
    assert max(len(each["Records"]) for each in lambda_.events) > 10
    assert publisher.statistics() == QueueStatistics(waiting=0, dead_letters=0)
    (sample, _) = published("sqs")["Records"]
    assert list(differences(sample, lambda_.events[0]["Records"][0])) == []


def test_lambda_gets_the_trace_that_a_request_named(url: str, publisher: SQSPublisher, services: Services) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    publisher.publish([event(1)], traceparent)

    lambda_ = mapping(url, services)
    while lambda_.step():
        pass

    (record,) = lambda_.events[0]["Records"]
    (ours,) = to_sqs_event([Message("m1", "r1", record["body"], 1, 1.0, traceparent)])["Records"]
    assert traceparent_of(record) == traceparent
    assert record["messageAttributes"] == ours["messageAttributes"]


def test_a_bad_message_holds_up_no_other_and_ends_in_the_dead_letters(
    url: str, publisher: SQSPublisher, settings: Settings, store: FakeStore
) -> None:
    store.refused_types = {"poison"}
    poison = event(3, event_type="poison")
    publisher.publish([event(1), event(2), poison, event(4)])

    lambda_ = mapping(url, Services(settings, writer=store))
    while lambda_.step():
        pass

    assert sorted(store.events) == [event(number).event_id for number in (1, 2, 4)]
    assert receive_counts(lambda_.events, poison.event_id) == [str(count + 1) for count in range(MAX_RECEIVES)]
    assert receive_counts(lambda_.events, event(1).event_id) == ["1"]
    assert publisher.statistics() == QueueStatistics(waiting=0, dead_letters=1)


def test_while_the_store_is_down_a_whole_batch_comes_again(
    url: str, publisher: SQSPublisher, settings: Settings, store: FakeStore
) -> None:
    store.down = True
    publisher.publish([event(1), event(2)])
    lambda_ = mapping(url, Services(settings, writer=store))
    lambda_.step()
    assert publisher.statistics() == QueueStatistics(waiting=2, dead_letters=0)

    store.down = False
    while lambda_.step():
        pass

    assert sorted(store.events) == [event(1).event_id, event(2).event_id]
    assert publisher.statistics() == QueueStatistics(waiting=0, dead_letters=0)
