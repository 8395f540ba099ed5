from collections.abc import Callable, Iterator, Mapping
from threading import Event as Flag
from typing import Any, NoReturn

import pytest

from core.errors import StoreUnavailableError
from core.settings import Settings
from core.wiring import Services
from functions.consume_events import ConsumeHandler, lambda_consumer
from local_runner.queue.consumer import ConsumerLimits, ConsumerStoppedError, ConsumerSupervisor
from local_runner.queue.deliveries import MessageDeliveries
from local_runner.queue.memory import InMemoryQueue
from local_runner.queue.visibility import QueueLimits
from tests.support.builders import event
from tests.support.fakes import FakeDeadLetters, FakeStore
from tests.support.waiting import SECONDS, until


@pytest.fixture
def handler(settings: Settings, store: FakeStore) -> ConsumeHandler:
    services = Services(settings, writer=store)
    return lambda_consumer(lambda: services)


class Running:
    """A supervised consumer in its threads; `steps` come before the handler, one per batch."""

    def __init__(self, handler: ConsumeHandler, **limits: Any) -> None:
        self.dead_letters = FakeDeadLetters()
        self.queue = InMemoryQueue(self.dead_letters, QueueLimits(visibility_timeout=0.05, max_receives=1000))
        self.steps: list[Callable[[], object]] = []
        self._handler = handler
        quick = {"batch_window": 0, "poll": 0.01, "first_retry": 0.01, "store_retry": 0.01, "restart_delay": 0.01}
        self.supervisor = ConsumerSupervisor(
            MessageDeliveries(self.queue, self._handle), ConsumerLimits(**{**quick, **limits})
        )

    def _handle(self, batch: Mapping[str, Any], context: object) -> Mapping[str, Any]:
        if self.steps:
            self.steps.pop(0)()
        return self._handler(batch, context)


def die() -> NoReturn:
    raise SystemExit


def complaint(supervisor: ConsumerSupervisor) -> str:
    """What the check raises; nothing if it does not."""
    try:
        supervisor.check()
    except ConsumerStoppedError as error:
        return str(error)
    return ""


@pytest.fixture
def running(handler: ConsumeHandler) -> Iterator[Running]:
    running = Running(handler)
    yield running
    running.supervisor.stop(timeout=SECONDS)


def test_what_is_published_is_stored_in_the_background(running: Running, store: FakeStore) -> None:
    running.supervisor.start()
    running.queue.publish([event(1)])

    until(lambda: store.events)
    assert running.supervisor.check() == {"restarts": 0}


def test_a_consumer_that_dies_is_restarted_and_nothing_is_lost_or_stored_twice(
    running: Running, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    running.steps = [die, die]
    running.queue.publish([event(1), event(2)])
    running.supervisor.start()

    until(lambda: len(store.events) == 2)
    assert sum(store.batches) == 2
    assert running.supervisor.check() == {"restarts": 2}
    assert [record.message for record in caplog.records if record.message == "consumer_restarted"] == [
        "consumer_restarted"
    ] * 2


def test_the_check_fails_while_the_consumer_is_down(handler: ConsumeHandler) -> None:
    running = Running(handler, restart_delay=60)
    running.steps = [die]
    running.queue.publish([event(1)])
    assert complaint(running.supervisor)  # it is not started yet

    running.supervisor.start()

    until(lambda: "is being restarted (restart 1)" in complaint(running.supervisor))
    running.supervisor.stop(timeout=SECONDS)


def test_while_the_store_takes_no_events_the_check_says_why(running: Running, store: FakeStore) -> None:
    store.down = True
    failures: list[None] = []
    running.steps = [lambda: failures.append(None)] * 3
    running.queue.publish([event(1)])
    running.supervisor.start()

    until(lambda: len(failures) == 3)
    with pytest.raises(StoreUnavailableError, match=r"events wait.*cannot be used"):
        running.supervisor.check()
    store.down = False
    until(lambda: store.events)
    until(lambda: not running.supervisor.store_error)
    assert running.supervisor.check() == {"restarts": 0}


def test_nothing_is_lost_or_stored_twice_whatever_goes_wrong(handler: ConsumeHandler, store: FakeStore) -> None:
    def store_down() -> None:
        store.calls_left = 0

    def store_up() -> None:
        store.calls_left = 1000

    def bug() -> NoReturn:
        raise ZeroDivisionError("a bug")

    running = Running(handler, batch_size=20)
    running.steps = [bug, die, store_down, store_down, store_up, die, bug] * 3
    running.supervisor.start()
    for number in range(300):
        running.queue.publish([event(number)])

    until(lambda: not running.steps and running.queue.stats().waiting + running.queue.stats().in_flight == 0)
    running.supervisor.stop(timeout=SECONDS)
    assert len(store.events) == sum(store.batches) == 300
    assert running.dead_letters.messages == []


def test_a_stop_lets_the_batch_at_hand_finish_and_takes_no_other(running: Running, store: FakeStore) -> None:
    begun, go_on = Flag(), Flag()

    def dawdle() -> None:
        begun.set()
        go_on.wait(SECONDS)

    running.steps = [dawdle]
    running.queue.publish([event(1)])
    running.supervisor.start()
    begun.wait(SECONDS)
    running.queue.publish([event(2)])

    running.supervisor.stop(timeout=0)
    go_on.set()
    running.supervisor.stop(timeout=SECONDS)

    assert list(store.events.values()) == [event(1)]
    assert running.queue.stats().waiting == 1
