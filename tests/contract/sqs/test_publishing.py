"""Publishing to SQS beyond the contract: limits of messages and requests, and partial failures."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from core.domain.models import Event
from core.errors import EventTooLargeError, QueueUnavailableError
from core.queues.sqs import SQSPublisher, SQSSource
from core.queues.sqs.batches import MAX_ENTRIES, MAX_REQUEST_BYTES, split_into_requests, string_attribute
from core.queues.sqs.publisher import MAX_MESSAGE_BYTES
from tests.support.builders import event
from tests.support.flaky_sqs import FlakySQS
from tests.support.messages import bodies, take
from tests.support.sqs import through


@pytest.fixture
def flaky_publisher(flaky: FlakySQS, url: str) -> Iterator[SQSPublisher]:
    with closing(SQSPublisher(through(flaky.url, url))) as publisher:
        yield publisher


def test_a_request_has_no_more_entries_and_bytes_than_sqs_takes() -> None:
    sizes = [1] * 25 + [MAX_REQUEST_BYTES] * 2 + [MAX_REQUEST_BYTES - 1, 1, 1] + [3 * MAX_REQUEST_BYTES]
    entries = [{"MessageBody": "x" * size} for size in sizes]

    groups = list(split_into_requests(entries))

    assert [entry for group in groups for entry in group] == entries
    assert [len(group) for group in groups] == [MAX_ENTRIES, MAX_ENTRIES, 5, 1, 1, 2, 1, 1]
    assert list(split_into_requests([])) == []


def test_the_size_counts_bytes_and_not_characters() -> None:
    entries = [{"MessageBody": "\N{PILE OF POO}" * (MAX_REQUEST_BYTES // 8)}] * 3

    assert [len(group) for group in split_into_requests(entries)] == [2, 1]


def test_the_size_includes_message_attributes() -> None:
    body = "x" * (MAX_REQUEST_BYTES // 2)
    attributes = string_attribute("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")

    assert [
        len(group) for group in split_into_requests([{"MessageBody": body, "MessageAttributes": attributes}] * 2)
    ] == [1, 1]


def test_large_events_go_in_requests_that_sqs_takes(publisher: SQSPublisher, source: SQSSource) -> None:
    large = [event(number, event_data={"text": "x" * 250_000}) for number in range(6)]

    publisher.publish(large)

    assert sorted(bodies(take(source, 6))) == sorted(each.model_dump_json() for each in large)


def test_an_event_that_no_message_can_hold_is_refused_and_nothing_is_sent(
    publisher: SQSPublisher, source: SQSSource
) -> None:
    too_large = event(2, event_data={"text": "x" * MAX_MESSAGE_BYTES})

    with pytest.raises(EventTooLargeError, match="at most 1048576 bytes"):
        publisher.publish([event(1), too_large])

    assert source.receive(10, wait=0) == []


def test_characters_that_sqs_refuses_arrive_all_the_same(publisher: SQSPublisher, source: SQSSource) -> None:
    odd = event(1, event_data={"text": "\ufffe and \uffff", "\uffff": "a\tb\x7f\x01"})

    publisher.publish([odd])

    (message,) = take(source, 1)
    assert Event.model_validate_json(message.body) == odd


def test_entries_that_fail_are_sent_again_and_only_those(
    flaky: FlakySQS, flaky_publisher: SQSPublisher, source: SQSSource
) -> None:
    flaky.partial = 2

    flaky_publisher.publish([event(number) for number in range(10)])

    assert sorted(bodies(take(source, 10))) == [event(number).model_dump_json() for number in range(10)]
    assert flaky.requests == {"SendMessageBatch": 3}


def test_entries_that_sqs_rejects_are_not_sent_again_and_the_publish_fails(
    flaky: FlakySQS, flaky_publisher: SQSPublisher, source: SQSSource, caplog: pytest.LogCaptureFixture
) -> None:
    flaky.partial, flaky.is_senders_fault = 1, True

    with pytest.raises(QueueUnavailableError, match="rejects some of the events"):
        flaky_publisher.publish([event(number) for number in range(10)])

    assert [(record.msg, vars(record)["codes"]) for record in caplog.records] == [
        ("sqs_entries_rejected", ["InternalError"])
    ]
    assert sorted(bodies(take(source, 5))) == [event(number).model_dump_json() for number in range(1, 10, 2)]
    assert flaky.requests == {"SendMessageBatch": 1}


def test_entries_that_fail_repeatedly_are_given_up(flaky: FlakySQS, flaky_publisher: SQSPublisher) -> None:
    flaky.partial = 1000

    with pytest.raises(QueueUnavailableError):
        flaky_publisher.publish([event(number) for number in range(100)])
