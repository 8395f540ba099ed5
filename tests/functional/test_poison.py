"""One bad event in a batch of ten, a hundred times: it harms no other, and is not lost itself."""

from threading import Event as Flag

import pytest

from core.settings import Settings
from core.wiring import Services
from functions.consume_events import lambda_consumer
from local_runner.queue.consumer import Consumer, ConsumerLimits
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from local_runner.queue.deliveries import MessageDeliveries
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.visibility import QueueLimits
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeStore

ROUNDS, TRIES, VISIBILITY = 100, 3, 30.0


@pytest.mark.parametrize("place", [0, 4, 9])
def test_nine_are_stored_at_once_and_the_tenth_is_given_up_and_redriven_once(settings: Settings, place: int) -> None:
    clock, store = FakeClock(), FakeStore()
    store.refused_types = {"poison"}
    handler = lambda_consumer(lambda: Services(settings, writer=store))
    dead_letters = DeadLetterFile(settings.data_dir / FILE_NAME, handler)
    limits = QueueLimits(visibility_timeout=VISIBILITY, max_receives=TRIES)
    queue = InMemoryQueue(dead_letters, limits, clock=clock, wall_clock=clock)
    (stopping := Flag()).set()
    taking = Consumer(MessageDeliveries(queue, handler), ConsumerLimits(batch_window=0), stopping)
    for number in range(ROUNDS):
        batch = [event(10 * number + index) for index in range(10)]
        batch[place] = event(10 * number + place, event_type="poison")
        queue.publish(batch)

        taking.take_batch(wait=0)

        # No event waited for the bad one: the clock did not move at all.
        assert len(store.events) == 9 * (number + 1)
        tries = 1
        while queue.stats().in_flight:
            clock.now += VISIBILITY
            tries += bool(taking.take_batch(wait=0))
        assert (tries, dead_letters.count()) == (TRIES, number + 1)

    store.refused_types = set()
    assert (dead_letters.redrive(), dead_letters.redrive()) == (ROUNDS, 0)
    assert len(store.events) == 10 * ROUNDS
    assert dead_letters.count() == 0
