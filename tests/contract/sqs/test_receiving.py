"""Receiving from SQS beyond the contract: visibility of messages, and requirements on the queue."""

from contextlib import closing

import pytest

from core.errors import QueueUnavailableError
from core.ports.queue import QueueStatistics
from core.queues.sqs import SQSDeadLetters, SQSPublisher, SQSSource
from tests.support.builders import event
from tests.support.flaky_sqs import FlakySQS
from tests.support.messages import bodies, take
from tests.support.queues import MAX_RECEIVES
from tests.support.sqs import PARTS, client, queue_url, through, use


def test_a_message_that_is_not_settled_comes_again_and_counts(url: str, publisher: SQSPublisher) -> None:
    publisher.publish([event(1)])
    with closing(SQSSource(url, visibility_timeout=1)) as source:
        (first,) = take(source, 1)

        (second,) = take(source, 1)

        assert (first.receive_count, second.receive_count) == (1, 2)
        assert second.message_id == first.message_id


def test_a_retry_that_does_not_count_is_seen_by_no_other_consumer(
    url: str, publisher: SQSPublisher, source: SQSSource
) -> None:
    publisher.publish([event(1)])
    with closing(SQSSource(url)) as holder:
        holder.retry_after([take(holder, 1)[0].receipt_handle], 0, counted=False)

        assert source.receive(1, wait=0) == []  # hidden for the delay and one visibility timeout
        assert len(take(holder, 1)) == 1


def test_a_retry_that_sqs_refuses_to_hide_is_dropped(url: str, publisher: SQSPublisher, source: SQSSource) -> None:
    publisher.publish([event(1)])
    with closing(SQSSource(url, visibility_timeout=0)) as late:
        (lost,) = take(late, 1)
        (taken,) = take(source, 1)

        late.retry_after([lost.receipt_handle], 0, counted=False)

        assert late.receive(1, wait=0) == []
        assert taken.receive_count == 2


def test_a_source_that_is_closed_gives_all_back_at_once_also_what_waits_for_its_retry(
    url: str, publisher: SQSPublisher, source: SQSSource
) -> None:
    publisher.publish([event(1), event(2)])
    with closing(SQSSource(url, visibility_timeout=3600)) as other:
        uncounted, _being_dealt_with = take(other, 2)
        other.retry_after([uncounted.receipt_handle], 3600, counted=False)

    assert sorted(bodies(take(source, 2))) == [event(1).model_dump_json(), event(2).model_dump_json()]


def test_deletions_that_fail_are_done_again(
    url: str, publisher: SQSPublisher, source: SQSSource, flaky: FlakySQS
) -> None:
    publisher.publish([event(number) for number in range(10)])
    with closing(SQSSource(through(flaky.url, url))) as other:
        messages = take(other, 10)
        flaky.partial = 2
        other.delete([message.receipt_handle for message in messages])

    assert source.receive(1, wait=0) == []
    assert flaky.requests["DeleteMessageBatch"] == 3


def test_what_fails_again_while_all_is_put_back_stays(url: str, publisher: SQSPublisher) -> None:
    """Two messages with equal content stand for one that was redriven, failed again and died a second time."""
    publisher.publish([event(number) for number in range(10)])
    publisher.publish([event(1)])
    with closing(SQSSource(url)) as source:
        for _ in range(MAX_RECEIVES):
            source.retry_after([message.receipt_handle for message in take(source, 11)], 0)
        assert source.receive(1, wait=0) == []

    with closing(SQSDeadLetters(url)) as dead_letters:
        assert dead_letters.redrive() == 10
        assert [letter.body for letter in dead_letters.dead_letters(100)] == [event(1).model_dump_json()]


def test_the_check_counts_waiting_messages_and_dead_letters(publisher: SQSPublisher, source: SQSSource) -> None:
    publisher.publish([event(1)])
    for _ in range(MAX_RECEIVES):
        source.retry_after([take(source, 1)[0].receipt_handle], 0)
    publisher.publish([event(2), event(3)])
    take(source, 1)

    assert publisher.statistics() == QueueStatistics(waiting=2, dead_letters=1)  # one of the two is in flight


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_queue_is_named_with_the_remedy(url: str, part: type) -> None:
    with closing(part(f"{url}-missing")) as opened, pytest.raises(QueueUnavailableError, match=r"-missing.* create"):
        use(opened)


def test_a_queue_without_dead_letters_is_not_ready(url: str, publisher: SQSPublisher) -> None:
    name = url.rpartition("/")[2]
    client().set_queue_attributes(QueueUrl=url.removeprefix("sqs+"), Attributes={"RedrivePolicy": ""})

    with pytest.raises(QueueUnavailableError, match=rf"{name} has no dead-letter queue.* redrive policy"):
        publisher.statistics()


def test_queues_do_not_share_messages(publisher: SQSPublisher, source: SQSSource) -> None:
    with queue_url() as another, closing(SQSSource(another)) as other:
        publisher.publish([event(1)])
        assert other.receive(1, wait=0) == []
        assert len(take(source, 1)) == 1
