import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from threading import Event as Flag
from typing import Any, NoReturn

import pytest

from core.errors import QueueUnavailableError
from core.ports.queue import Message
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import ConsumeHandler, lambda_consumer
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.queue.consumer import Consumer, ConsumerLimits
from local_runner.queue.deliveries import MessageDeliveries
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.visibility import QueueLimits
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeDeadLetters, FakeStore

SAMPLE = Path(__file__).parents[1] / "events" / "sqs_batch.json"
POISON = event(99, event_type="poison")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def dead_letters() -> FakeDeadLetters:
    return FakeDeadLetters()


@pytest.fixture
def queue(dead_letters: FakeDeadLetters, clock: FakeClock) -> InMemoryQueue:
    return InMemoryQueue(dead_letters, QueueLimits(max_receives=3), clock=clock, wall_clock=clock)


@pytest.fixture
def handler(settings: Settings, store: FakeStore) -> ConsumeHandler:
    services = Services(settings, writer=store)
    return lambda_consumer(lambda: services)


def consumer(queue: InMemoryQueue, handler: ConsumeHandler, **limits: Any) -> Consumer:
    """A consumer for `take_batch`. Its stop is set, so that it never sleeps."""
    stop = Flag()
    stop.set()
    return Consumer(MessageDeliveries(queue, handler), ConsumerLimits(batch_window=0, **limits), stop)


def seconds_until_next_batch(consumer: Consumer, clock: FakeClock) -> float:
    started = clock.now
    while not consumer.take_batch(wait=0):
        clock.now += 0.5
        assert clock.now < started + 1000
    return clock.now - started


def raise_bug(_event: Mapping[str, Any], _context: object) -> NoReturn:
    raise ZeroDivisionError("a bug")


def test_a_waiting_batch_is_stored_at_once_and_gone_from_the_queue(
    queue: InMemoryQueue, handler: ConsumeHandler, store: FakeStore
) -> None:
    queue.publish([event(1), event(2), event(3)])
    taking = consumer(queue, handler, batch_size=2)

    assert [taking.take_batch(wait=0) for _ in range(3)] == [2, 1, 0]
    assert store.batches == [2, 1]
    assert list(store.events.values()) == [event(1), event(2), event(3)]
    assert (queue.stats().waiting, queue.stats().in_flight) == (0, 0)


def test_a_batch_that_takes_the_store_too_long_is_stored_in_smaller_ones(
    queue: InMemoryQueue, handler: ConsumeHandler, store: FakeStore, clock: FakeClock
) -> None:
    store.largest_batch = 3
    queue.publish([event(number) for number in range(30)])
    taking = consumer(queue, handler, batch_size=16)

    while queue.depth:
        taking.take_batch(wait=0)
        clock.now += 5

    assert len(store.events) == 30
    assert max(store.batches) == 2
    store.largest_batch = math.inf
    for _ in range(4):
        queue.publish([event(number) for number in range(100, 116)])
        taking.take_batch(wait=0)
    assert store.batches[-1] == 16


def test_the_event_has_the_keys_of_one_from_sqs(queue: InMemoryQueue) -> None:
    real = json.loads(SAMPLE.read_text())["Records"][0]
    queue.publish([event(1)])

    (ours,) = to_sqs_event(queue.receive(1, wait=0))["Records"]

    assert ours.keys() <= real.keys()
    assert ours["attributes"].keys() <= real["attributes"].keys()
    assert ours["attributes"]["ApproximateReceiveCount"] == "1"
    assert ours["attributes"]["SentTimestamp"] == "1700000000000"


def test_a_poison_message_is_retried_with_growing_delays_and_given_up_while_others_are_stored(
    queue: InMemoryQueue,
    dead_letters: FakeDeadLetters,
    handler: ConsumeHandler,
    store: FakeStore,
    clock: FakeClock,
) -> None:
    store.refused_types = {"poison"}
    queue.publish([event(1), POISON, event(2)])
    taking = consumer(queue, handler, first_retry=2)

    taking.take_batch(wait=0)
    assert list(store.events.values()) == [event(1), event(2)]

    assert [seconds_until_next_batch(taking, clock) for _ in range(2)] == [2, 4]
    clock.now += 8
    assert taking.take_batch(wait=0) == 0
    assert dead_letters.bodies == [POISON.model_dump_json()]


def test_the_delay_of_a_retry_has_a_limit(handler: ConsumeHandler, store: FakeStore, clock: FakeClock) -> None:
    store.refused_types = {"poison"}
    queue = InMemoryQueue(FakeDeadLetters(), QueueLimits(max_receives=100), clock=clock)
    queue.publish([POISON])
    taking = consumer(queue, handler, first_retry=4, longest_retry=10)

    assert [seconds_until_next_batch(taking, clock) for _ in range(5)] == [0, 4, 8, 10, 10]


class OftenReceived(InMemoryQueue):
    """A queue whose messages say that they were received ten thousand times, as any publisher to a broker can say."""

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        messages = super().receive(max_messages, wait=wait, window=window)
        return [message._replace(receive_count=10_000) for message in messages]


def test_the_delay_of_a_message_that_was_received_very_often_has_the_same_limit(
    handler: ConsumeHandler, store: FakeStore, clock: FakeClock
) -> None:
    store.refused_types = {"poison"}
    queue = OftenReceived(FakeDeadLetters(), QueueLimits(max_receives=100), clock=clock)
    queue.publish([POISON])
    taking = consumer(queue, handler, longest_retry=10)

    assert [seconds_until_next_batch(taking, clock) for _ in range(3)] == [0, 10, 10]


def test_messages_wait_uncounted_for_a_store_that_is_down(
    queue: InMemoryQueue, dead_letters: FakeDeadLetters, handler: ConsumeHandler, store: FakeStore, clock: FakeClock
) -> None:
    store.down = True
    queue.publish([event(1), event(2)])
    taking = consumer(queue, handler, store_retry=1, longest_store_retry=5)

    assert [seconds_until_next_batch(taking, clock) for _ in range(7)] == [0, 1, 2, 4, 5, 5, 5]

    store.down = False
    seconds_until_next_batch(taking, clock)
    assert list(store.events.values()) == [event(1), event(2)]
    assert dead_letters.messages == []


def test_the_log_says_once_that_the_store_is_down_and_once_that_it_is_back(
    queue: InMemoryQueue, handler: ConsumeHandler, store: FakeStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store.down = True
    queue.publish([event(1)])
    taking = consumer(queue, handler)
    for _ in range(3):
        seconds_until_next_batch(taking, clock)
    store.down = False
    seconds_until_next_batch(taking, clock)

    assert [record.message for record in caplog.records] == [
        "store_unavailable",
        "store_available",
    ]


class QueueBehindABroker(InMemoryQueue):
    """A queue that cannot be reached for its first receives."""

    def __init__(self, failures: int, stop: Flag) -> None:
        super().__init__(FakeDeadLetters())
        self.failures = failures
        self.stop = stop

    def receive(self, max_messages: int, *, wait: float, window: float = 0.0) -> list[Message]:
        if self.failures:
            self.failures -= 1
            raise QueueUnavailableError("The broker is away.")
        self.stop.set()
        return super().receive(max_messages, wait=wait, window=window)


def test_a_broker_that_is_away_is_waited_for_and_the_log_says_so_once(
    handler: ConsumeHandler, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stop = Flag()
    queue = QueueBehindABroker(3, stop)
    queue.publish([event(1)])

    Consumer(MessageDeliveries(queue, handler), ConsumerLimits(queue_retry=0.01), stop).run()

    assert list(store.events.values()) == [event(1)]
    assert [record.message for record in caplog.records] == [
        "queue_unavailable",
        "queue_available",
    ]


def test_the_batch_of_a_handler_with_a_bug_comes_again_until_it_is_given_up(
    queue: InMemoryQueue, dead_letters: FakeDeadLetters, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.publish([event(1), event(2)])
    taking = consumer(queue, raise_bug)

    assert [seconds_until_next_batch(taking, clock) for _ in range(3)] == [0, 1, 2]
    clock.now += 4
    assert taking.take_batch(wait=0) == 0

    assert len(dead_letters.messages) == 2
    assert [record.exc_info is not None for record in caplog.records] == [True, True, True, False]
    assert caplog.records[-1].message == "events_dead_lettered"
