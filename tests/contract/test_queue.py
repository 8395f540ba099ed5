from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.domain.models import Event
from core.errors import QueueUnavailableError
from core.ports.queue import Message
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.stats import QueueStats
from local_runner.queue.visibility import QueueLimits
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeDeadLetters
from tests.support.messages import receipts
from tests.support.spool_source import SpoolSource

Queue = InMemoryQueue | SpoolSource


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dead_letters() -> FakeDeadLetters:
    return FakeDeadLetters()


@pytest.fixture(params=["memory", "spool"])
def queue(
    request: pytest.FixtureRequest, dead_letters: FakeDeadLetters, clock: FakeClock, tmp_path: Path
) -> Iterator[Queue]:
    limits = QueueLimits(visibility_timeout=30, max_receives=3)
    if request.param == "memory":
        yield InMemoryQueue(dead_letters, limits, clock=clock, wall_clock=clock)
        return
    source = SpoolSource(tmp_path / "spool", dead_letters, limits, clock)
    yield source
    source.spool.close()


def take(queue: Queue, at_most: int = 10) -> list[Message]:
    return queue.receive(at_most, wait=0)


def numbers(messages: Sequence[Message]) -> list[int]:
    return [Event.model_validate_json(message.body).event_data["number"] for message in messages]


def give_up(queue: Queue, clock: FakeClock) -> None:
    """Receive all there is and not delete it, until it is a dead letter."""
    while take(queue):
        clock.now += 30


def test_a_message_carries_the_event_and_says_when_it_was_sent(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(7)])

    (message,) = take(queue)

    assert Event.model_validate_json(message.body) == event(7)
    assert (message.receive_count, message.sent_at) == (1, clock.now)


def test_messages_come_in_the_order_they_were_published_and_no_more_than_asked_for(queue: Queue) -> None:
    queue.publish([event(1), event(2)])
    queue.publish([event(3)])

    assert numbers(take(queue, 2)) == [1, 2]
    assert numbers(take(queue, 2)) == [3]
    assert take(queue, 2) == []


def test_a_message_in_flight_is_not_received_again_before_its_timeout(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1)])
    take(queue)
    clock.now += 29.9

    assert take(queue) == []


def test_a_message_that_is_not_deleted_is_received_again_and_counted(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1)])
    (first,) = take(queue)
    clock.now += 30

    (second,) = take(queue)

    assert (second.message_id, second.body) == (first.message_id, first.body)
    assert second.receipt_handle != first.receipt_handle
    assert (first.receive_count, second.receive_count) == (1, 2)


def test_a_deleted_message_never_comes_back(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1), event(2)])
    queue.delete(receipts(take(queue)))
    clock.now += 1000

    assert take(queue) == []
    assert queue.stats() == QueueStats(waiting=0, in_flight=0, oldest_age_seconds=0, bytes=0)


def test_a_message_that_comes_back_is_received_before_younger_ones(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1), event(2), event(3)])
    take(queue, 2)
    clock.now += 30

    assert numbers(take(queue)) == [1, 2, 3]


def test_the_receipt_of_an_earlier_receive_has_no_effect(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1)])
    stale = receipts(take(queue))
    clock.now += 30
    current = receipts(take(queue))

    queue.delete([*stale, "made up"])
    queue.retry_after(stale, 0)

    assert (take(queue), queue.stats().in_flight) == ([], 1)
    queue.delete(current)
    assert queue.stats().in_flight == 0


def test_a_retry_comes_after_its_delay_instead_of_the_timeout(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1), event(2)])
    sooner, later = receipts(take(queue))
    queue.retry_after([sooner], 5)
    queue.retry_after([later], 60)

    clock.now += 4.9
    assert take(queue) == []
    clock.now += 0.1
    assert numbers(take(queue)) == [1]
    clock.now += 54.9
    assert 2 not in numbers(take(queue))
    clock.now += 0.1
    assert 2 in numbers(take(queue))


def test_a_message_received_too_often_becomes_a_dead_letter(
    queue: Queue, dead_letters: FakeDeadLetters, clock: FakeClock
) -> None:
    queue.publish([event(1), event(2)])
    counts = []
    while messages := take(queue):
        counts.append([message.receive_count for message in messages])
        clock.now += 30

    assert counts == [[1, 1], [2, 2], [3, 3]]
    assert dead_letters.bodies == [event(1).model_dump_json(), event(2).model_dump_json()]
    assert [message.receive_count for message in dead_letters.messages] == [3, 3]
    assert queue.stats() == QueueStats(waiting=0, in_flight=0, oldest_age_seconds=0, bytes=0)


def test_a_retry_that_is_not_counted_never_makes_a_dead_letter(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1)])
    for _ in range(10):
        (message,) = take(queue)
        assert message.receive_count == 1
        queue.retry_after([message.receipt_handle], 1, counted=False)
        clock.now += 1

    assert numbers(take(queue)) == [1]


def test_what_the_dead_letters_do_not_take_stays_and_is_tried_again(
    queue: Queue, dead_letters: FakeDeadLetters, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.publish([event(1)])
    dead_letters.down = True
    give_up(queue, clock)
    for _ in range(5):
        assert (take(queue), queue.depth) == ([], 1)
        clock.now += 1

    dead_letters.down = False

    assert (take(queue), queue.depth) == ([], 0)
    assert dead_letters.bodies == [event(1).model_dump_json()]
    assert [record.message for record in caplog.records] == [
        "dead_letters_unavailable",
        "events_dead_lettered",
    ]


def test_a_closed_queue_takes_nothing_and_gives_out_what_it_holds(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1), event(2)])
    take(queue, 1)
    queue.close()

    with pytest.raises(QueueUnavailableError, match="shutting down"):
        queue.publish([event(3)])
    assert numbers(take(queue)) == [2]
    clock.now += 30
    assert numbers(take(queue)) == [1, 2]


def test_a_closed_queue_makes_no_message_wait_for_its_retry(queue: Queue) -> None:
    queue.publish([event(1), event(2), event(3)])
    early, late, _being_dealt_with = take(queue)
    queue.retry_after([early.receipt_handle], 20)
    queue.close()
    queue.retry_after([late.receipt_handle], 20)

    assert sorted(numbers(take(queue))) == [1, 2]


def test_the_state_has_the_age_of_the_oldest_message_that_is_not_dealt_with(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1)])
    clock.now += 10
    queue.publish([event(2)])
    size = 2 * len(event(1).to_json()) if isinstance(queue, InMemoryQueue) else 0  # the other has no body in memory
    oldest = receipts(take(queue, 1))
    assert queue.stats() == QueueStats(waiting=1, in_flight=1, oldest_age_seconds=10, bytes=size)

    queue.retry_after(oldest, 0)
    assert numbers(take(queue, 1)) == [1]
    clock.now += 40
    take(queue, 1)
    assert queue.stats() == QueueStats(waiting=1, in_flight=1, oldest_age_seconds=50, bytes=size)


def test_a_message_whose_retry_and_timeout_are_both_over_is_received_once(queue: Queue, clock: FakeClock) -> None:
    queue.publish([event(1)])
    queue.retry_after(receipts(take(queue)), 1)
    clock.now += 31

    assert numbers(take(queue)) == [1]
