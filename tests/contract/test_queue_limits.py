import threading
import time
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest

from core.domain.models import Event
from core.errors import QueueFullError
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.visibility import QueueLimits
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeDeadLetters
from tests.support.messages import bodies, receipts
from tests.support.waiting import SECONDS

BODY_BYTES = len(event(1).to_json())


def test_a_batch_that_does_not_fit_is_refused_as_a_whole() -> None:
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_messages=5))
    queue.publish([event(1), event(2), event(3)])

    with pytest.raises(QueueFullError, match="nothing was accepted"):
        queue.publish([event(4), event(5), event(6)])

    assert queue.stats().waiting == 3
    queue.publish([event(4), event(5)])


def test_messages_in_flight_count_towards_the_bound() -> None:
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_messages=2))
    queue.publish([event(1), event(2)])
    in_flight = receipts(queue.receive(1, wait=0))

    with pytest.raises(QueueFullError):
        queue.publish([event(3)])
    queue.delete(in_flight)
    queue.publish([event(3)])


def test_the_bytes_held_are_bounded_and_given_back_when_a_message_is_deleted() -> None:
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_bytes=2 * BODY_BYTES))
    queue.publish([event(1), event(2)])

    with pytest.raises(QueueFullError):
        queue.publish([event(3)])
    queue.delete(receipts(queue.receive(1, wait=0)))
    queue.publish([event(3)])
    with pytest.raises(QueueFullError):
        queue.publish([event(4)])


def test_a_dead_letter_gives_its_bytes_back() -> None:
    clock = FakeClock()
    limits = QueueLimits(max_bytes=2 * BODY_BYTES, max_receives=1)
    queue = InMemoryQueue(FakeDeadLetters(), limits, clock=clock)
    queue.publish([event(1), event(2)])
    queue.receive(2, wait=0)
    clock.now += 30
    queue.receive(2, wait=0)

    queue.publish([event(3), event(4)])


def test_the_bytes_are_those_of_utf_8() -> None:
    text = event(event_data={"text": "a" * 1000 + "\N{PILE OF POO}"})
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_bytes=1300))
    queue.publish([text])

    with pytest.raises(QueueFullError):
        queue.publish([event(2)])
    (message,) = queue.receive(1, wait=0)
    assert Event.model_validate_json(message.body) == text


def test_memory_does_not_grow_with_messages_that_are_dealt_with() -> None:
    clock = FakeClock()
    queue = InMemoryQueue(FakeDeadLetters(), clock=clock)

    def deal_with_messages(rounds: int) -> int:
        for _ in range(rounds):
            queue.publish([event(1)])
            queue.delete(receipts(queue.receive(1, wait=0)))
            clock.now += 1
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = deal_with_messages(100)
        assert deal_with_messages(1000) - before < 20_000
    finally:
        tracemalloc.stop()


def test_a_receive_waits_for_the_first_message_and_no_longer() -> None:
    queue = InMemoryQueue(FakeDeadLetters())
    publisher = Timer(0.05, queue.publish, [[event(1)]])
    started = time.monotonic()
    publisher.start()

    assert bodies(queue.receive(10, wait=SECONDS)) == [event(1).model_dump_json()]
    assert time.monotonic() - started < SECONDS / 2
    publisher.join()


def test_a_receive_waits_for_a_message_in_flight_to_come_back() -> None:
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(visibility_timeout=0.05))
    queue.publish([event(1)])
    queue.receive(10, wait=0)

    assert bodies(queue.receive(10, wait=SECONDS)) == [event(1).model_dump_json()]


def test_a_receive_without_messages_ends_after_its_wait() -> None:
    started = time.monotonic()

    assert InMemoryQueue(FakeDeadLetters()).receive(10, wait=0.1) == []
    assert time.monotonic() - started >= 0.1


def test_a_receive_waits_a_window_longer_for_a_fuller_batch() -> None:
    queue = InMemoryQueue(FakeDeadLetters())
    queue.publish([event(1)])

    def publish_one_more_and_close() -> None:
        queue.publish([event(2)])
        queue.close()

    publisher = Timer(0.05, publish_one_more_and_close)
    publisher.start()

    assert len(queue.receive(10, wait=0, window=SECONDS)) == 2
    publisher.join()


def test_a_full_batch_waits_for_no_window() -> None:
    queue = InMemoryQueue(FakeDeadLetters())
    queue.publish([event(1)])
    started = time.monotonic()

    queue.receive(1, wait=0, window=SECONDS)

    assert time.monotonic() - started < SECONDS / 2


def test_nothing_is_lost_or_doubled_between_eight_publishers_and_a_consumer() -> None:
    queue = InMemoryQueue(FakeDeadLetters())
    events = [event(number) for number in range(20_000)]
    received: list[str] = []
    go = threading.Barrier(9)

    def publish(share: Sequence[Event]) -> None:
        go.wait()
        for start in range(0, len(share), 5):
            queue.publish(share[start : start + 5])

    with ThreadPoolExecutor(8) as publishers:
        for first in range(8):
            publishers.submit(publish, events[first::8])
        go.wait()
        while messages := queue.receive(1000, wait=SECONDS if len(received) < len(events) else 0):
            received += bodies(messages)
            queue.delete(receipts(messages))

    assert sorted(received) == sorted(event.model_dump_json() for event in events)
    assert queue.stats().in_flight == 0


def test_a_receive_is_bounded_in_bytes_as_well() -> None:
    queue = InMemoryQueue(FakeDeadLetters())
    large = event(1, event_data={"text": "x" * 5_000_000})
    for _ in range(5):
        queue.publish([large])
    assert [len(queue.receive(10, wait=0)) for _ in range(2)] == [4, 1]
