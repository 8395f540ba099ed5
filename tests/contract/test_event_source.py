"""Contract of `EventSource` and `DeadLetterQueue` for every queue, in real time because brokers have no other clock."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest

from core.ports.queue import DeadLetter
from tests.support.builders import event
from tests.support.every_queue import QUEUES
from tests.support.messages import bodies, body, receipts, take
from tests.support.queues import MAX_RECEIVES, QueueUnderTest
from tests.support.waiting import SECONDS, until, within


@pytest.fixture(params=QUEUES)
def queue(request: pytest.FixtureRequest) -> Iterator[QueueUnderTest]:
    with QUEUES[request.param]() as opened:
        yield opened


def nothing_comes(queue: QueueUnderTest) -> bool:
    return queue.source.receive(10, wait=0.3) == []


def give_up(queue: QueueUnderTest, *numbers: int) -> list[DeadLetter]:
    """Publish events and fail each until it is a dead letter; return all dead letters."""
    before = len(queue.dead_letters.dead_letters(1000))
    for number in numbers:
        queue.publisher.publish([event(number)])
        for _ in range(MAX_RECEIVES):
            queue.source.retry_after(receipts(take(queue.source)), 0)
    return wait_for_dead_letters(queue, before + len(numbers))


def wait_for_dead_letters(queue: QueueUnderTest, count: int) -> list[DeadLetter]:
    def dead_letters() -> list[DeadLetter]:
        assert queue.source.receive(10, wait=0.02) == []
        found = queue.dead_letters.dead_letters(1000)
        return found if len(found) == count else []

    found: list[DeadLetter] = until(dead_letters, f"{count} dead letters")
    return found


def test_every_delivery_of_a_message_carries_its_trace(queue: QueueUnderTest) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    queue.publisher.publish([event(1)], traceparent)
    (first,) = take(queue.source)
    queue.source.retry_after(receipts([first]), 0)
    (again,) = take(queue.source)
    queue.source.delete(receipts([again]))
    queue.publisher.publish([event(2)])
    (without,) = take(queue.source)

    assert [message.traceparent for message in (first, again, without)] == [traceparent, traceparent, None]


def test_a_message_carries_the_event_and_when_it_was_sent(queue: QueueUnderTest) -> None:
    published = event(7, event_data={"name": "Zo\u00eb \N{PILE OF POO}", "nested": [1, 2.5, None, {"a": "\n"}]})
    queue.publisher.publish([published])

    (message,) = take(queue.source)

    assert (message.body, message.receive_count) == (published.model_dump_json(), 1)
    assert abs(message.sent_at - time.time()) < SECONDS


def test_no_more_messages_come_than_are_asked_for(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(number) for number in range(5)])

    first = queue.source.receive(2, wait=SECONDS, window=0.1)

    assert 1 <= len(first) <= 2
    assert sorted(bodies(first + take(queue.source, 5 - len(first)))) == [body(number) for number in range(5)]


def test_a_receive_without_messages_ends_after_its_wait(queue: QueueUnderTest) -> None:
    nothing_comes(queue)  # a broker's consumer connects at its first receive

    def receive() -> None:
        started = time.monotonic()
        assert queue.source.receive(10, wait=0.3) == []
        assert time.monotonic() - started > 0.25

    within(2, receive)


def test_a_receive_waits_for_the_first_message_and_no_longer(queue: QueueUnderTest) -> None:
    nothing_comes(queue)
    publisher = Timer(0.1, queue.publisher.publish, [[event(1)]])
    publisher.start()

    assert bodies(queue.source.receive(10, wait=SECONDS)) == [body(1)]
    publisher.join()


def test_a_receive_waits_a_window_longer_for_a_fuller_batch(queue: QueueUnderTest) -> None:
    nothing_comes(queue)

    def comes_along() -> bool:
        """Whether an event comes together with one that was published before it."""
        queue.publisher.publish([event(1)])
        publisher = Timer(0.1, queue.publisher.publish, [[event(2)]])
        publisher.start()
        messages = queue.source.receive(2, wait=SECONDS, window=1.0)
        publisher.join()
        every = [*messages, *(take(queue.source, 2 - len(messages)) if len(messages) < 2 else [])]
        queue.source.delete(receipts(every))
        assert bodies(every) == [body(1), body(2)]
        return len(messages) == 2

    until(comes_along)  # not at the first attempt where this process stands still meanwhile


def test_a_full_batch_waits_for_no_window(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1)])
    started = time.monotonic()

    assert len(queue.source.receive(1, wait=SECONDS, window=SECONDS)) == 1
    assert time.monotonic() - started < SECONDS / 2


def test_a_deleted_message_never_comes_again(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1), event(2), event(3)])
    messages = take(queue.source, 3)

    queue.source.delete(receipts(messages))

    assert nothing_comes(queue)
    queue.reopen()
    assert nothing_comes(queue)


def test_only_what_is_deleted_is_gone(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(number) for number in range(5)])
    messages = take(queue.source, 5)

    queue.source.delete(receipts(messages[1::2]))
    queue.reopen()

    left = messages if queue.is_log else messages[::2]
    assert sorted(bodies(take(queue.source, len(left)))) == sorted(bodies(left))
    assert nothing_comes(queue)


def test_what_a_consumer_leaves_behind_comes_to_the_next(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1), event(2)])
    take(queue.source, 2)

    queue.reopen()

    assert sorted(bodies(take(queue.source, 2))) == [body(1), body(2)]


def test_a_retry_comes_after_its_delay_and_counts(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1)])
    (first,) = take(queue.source)
    started = time.monotonic()

    queue.source.retry_after([first.receipt_handle], 0.6)

    (second,) = take(queue.source)
    assert time.monotonic() - started >= 0.55
    assert (second.body, second.receive_count) == (first.body, 2)
    assert second.receipt_handle != first.receipt_handle


def test_a_retry_that_is_not_counted_comes_after_its_delay(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1)])
    messages = take(queue.source)
    started = time.monotonic()

    queue.source.retry_after(receipts(messages), 0.6, counted=False)

    assert bodies(take(queue.source)) == [body(1)]
    assert time.monotonic() - started >= 0.55


def test_a_message_that_waits_for_its_retry_holds_up_no_other(queue: QueueUnderTest) -> None:
    numbers = itertools.count()

    def overtakes() -> bool:
        """Whether an event comes while one that was published before it waits, and comes after it."""
        waiting, other = next(numbers), next(numbers)
        queue.publisher.publish([event(waiting)])
        queue.source.retry_after(receipts(take(queue.source)), 0.6)
        started = time.monotonic()
        queue.publisher.publish([event(other)])
        (first,) = take(queue.source)
        seconds = time.monotonic() - started
        queue.source.delete([first.receipt_handle])
        (second,) = take(queue.source)
        queue.source.delete([second.receipt_handle])
        assert {first.body, second.body} == {body(waiting), body(other)}
        return first.body == body(other) and seconds < 0.6

    until(overtakes)  # not at the first attempt where this process stands still meanwhile


def test_a_retry_that_is_not_counted_never_makes_a_dead_letter(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1)])
    for _ in range(MAX_RECEIVES + 3):
        (message,) = take(queue.source)
        assert message.receive_count == 1
        queue.source.retry_after([message.receipt_handle], 0.05, counted=False)

    queue.source.delete(receipts(take(queue.source)))
    assert nothing_comes(queue)
    assert queue.dead_letters.dead_letters(10) == []


def test_a_message_received_too_often_becomes_a_dead_letter(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1)])
    counts = []
    for _ in range(MAX_RECEIVES):
        (message,) = take(queue.source)
        counts.append(message.receive_count)
        queue.source.retry_after([message.receipt_handle], 0)

    assert counts == [1, 2, 3]
    (dead_letter,) = wait_for_dead_letters(queue, 1)
    assert (dead_letter.body, dead_letter.receive_count) == (body(1), MAX_RECEIVES)


def test_looking_at_dead_letters_leaves_them_there(queue: QueueUnderTest) -> None:
    dead_letters = give_up(queue, 1, 2, 3)

    assert bodies(dead_letters) == [body(1), body(2), body(3)]
    for _ in range(25):
        assert queue.dead_letters.dead_letters(2) == dead_letters[:2]
    assert queue.dead_letters.dead_letters(1000) == dead_letters
    assert nothing_comes(queue)


def test_redriven_dead_letters_come_once_more_as_if_never_received(queue: QueueUnderTest) -> None:
    give_up(queue, 1, 2)

    assert queue.dead_letters.redrive() == 2

    messages = take(queue.source, 2)
    assert sorted(bodies(messages)) == [body(1), body(2)]
    assert [message.receive_count for message in messages] == [1, 1]
    assert queue.dead_letters.dead_letters(10) == []
    assert queue.dead_letters.redrive() == 0
    queue.source.delete(receipts(messages))
    queue.reopen()
    assert nothing_comes(queue)


def test_a_redriven_dead_letter_can_become_one_again(queue: QueueUnderTest) -> None:
    give_up(queue, 1)
    queue.dead_letters.redrive()

    for _ in range(MAX_RECEIVES):
        queue.source.retry_after(receipts(take(queue.source)), 0)

    assert bodies(wait_for_dead_letters(queue, 1)) == [body(1)]


def test_some_dead_letters_can_be_redriven_and_the_others_stay(queue: QueueUnderTest) -> None:
    first, second, third = give_up(queue, 1, 2, 3)
    chosen = [second.message_id, "made up"]

    if queue.refuses_ids:
        with pytest.raises(queue.refuses_ids):
            queue.dead_letters.redrive(chosen)
        assert queue.dead_letters.dead_letters(10) == [first, second, third]
        return

    assert queue.dead_letters.redrive(chosen) == 1
    assert bodies(take(queue.source)) == [second.body]
    assert queue.dead_letters.dead_letters(10) == [first, third]
    assert queue.dead_letters.redrive([]) == 0
    assert nothing_comes(queue)


@pytest.mark.parametrize("counted", [True, False])
def test_the_receipt_of_an_earlier_receive_has_no_effect(queue: QueueUnderTest, *, counted: bool) -> None:
    queue.publisher.publish([event(1)])
    stale = receipts(take(queue.source))
    queue.source.retry_after(stale, 0, counted=counted)
    take(queue.source)

    queue.source.delete([*stale, "made up", "1.1", ""])
    queue.source.retry_after([*stale, "made up"], 0)

    assert nothing_comes(queue)
    queue.reopen()
    assert bodies(take(queue.source)) == [body(1)]


def test_a_receipt_of_a_consumer_that_is_gone_has_no_effect(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(1)])
    stale = receipts(take(queue.source))
    queue.reopen()
    take(queue.source)

    queue.source.delete(stale)

    queue.reopen()
    assert bodies(take(queue.source)) == [body(1)]


def test_a_batch_of_a_thousand_arrives_whole(queue: QueueUnderTest) -> None:
    queue.publisher.publish([event(number) for number in range(1000)])

    messages = take(queue.source, 1000)

    assert sorted(bodies(messages)) == [body(number) for number in range(1000)]
    queue.source.delete(receipts(messages))
    queue.reopen()
    assert nothing_comes(queue)


def test_publishers_in_several_threads_lose_nothing(queue: QueueUnderTest) -> None:
    with ThreadPoolExecutor(8) as publishers:
        list(publishers.map(lambda number: queue.publisher.publish([event(number)]), range(200)))

    assert sorted(bodies(take(queue.source, 200))) == [body(number) for number in range(200)]
