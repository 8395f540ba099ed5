"""Senders that compete for a stream, freeze and die: no event is missing, and first deliveries are in order."""

import random
import threading
import time
from typing import Any

from sqlalchemy import Engine

from core.stores.feed import SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.sql import SqlEventStore
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from core.streams.delivery import Sender
from core.streams.dispatcher import Dispatcher
from tests.support.builders import event
from tests.support.fakes import FakeMeter
from tests.support.streams import FakeDestination, make_stream, outlet, record
from tests.support.waiting import SECONDS

LEASE = 0.4
EVENTS = 400


class Contender:
    """A process that sends streams. While it is frozen, as by SIGSTOP, none of its calls continues."""

    def __init__(self, engine: Engine, destination: FakeDestination) -> None:
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._stops = threading.Event()
        frozen_destination = self._freezing(destination, limits=destination.limits)
        sender = Sender(
            self._freezing(SqlFeed(engine)),
            self._freezing(SqlStreamLeases(engine)),
            lambda _stream: outlet(frozen_destination),
            FakeMeter(),
            time.time,
        )
        self.dispatcher = Dispatcher(sender, lease_seconds=LEASE)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def freeze(self, seconds: float) -> None:
        self._goes_on.clear()
        threading.Timer(seconds, self._goes_on.set).start()

    def die(self) -> None:
        """Freeze until the end of the test, with the lease in hand."""
        self._goes_on.clear()

    def end(self) -> None:
        self._stops.set()
        self._goes_on.set()
        self._thread.join(SECONDS)
        self.dispatcher.close()

    def _run(self) -> None:
        while not self._stops.wait(0.02):
            self.dispatcher.round()

    def _freezing(self, part: Any, **attributes: object) -> Any:
        goes_on = self._goes_on

        class Freezing:
            def __getattr__(self, name: str) -> object:
                if name in attributes:
                    return attributes[name]
                method = getattr(part, name)

                def call(*args: Any, **kwargs: Any) -> object:
                    goes_on.wait(SECONDS)
                    result = method(*args, **kwargs)
                    goes_on.wait(SECONDS)
                    return result

                return call

        return Freezing()


def test_no_event_is_missing_when_senders_freeze_and_die(engine: Engine, sql_store: SqlEventStore) -> None:
    randomly = random.Random(1)  # noqa: S311 - a test that can be repeated
    destination = FakeDestination(on_send=lambda: time.sleep(0.01))  # a network
    SqlStreams(engine).add_stream(make_stream(batch=5, filter="event_type=user.login"), record())
    sql_store.add([event(number) for number in range(EVENTS)])
    Ledger(engine).integrate()
    contenders = [Contender(engine, destination) for _ in range(3)]
    deadline = time.monotonic() + 120
    try:
        while len(set(destination.numbers)) < EVENTS:
            assert time.monotonic() < deadline, f"only {len(set(destination.numbers))} events arrived"
            holders = [each for each in contenders if each.dispatcher.held]
            if holders and randomly.random() < 0.3:
                victim = randomly.choice(holders)
                if randomly.random() < 0.3 and len(contenders) < 8:
                    victim.die()
                    contenders.append(Contender(engine, destination))
                else:
                    victim.freeze(2.5 * LEASE)
            time.sleep(LEASE / 4)
    finally:
        for contender in contenders:
            contender.end()
    assert list(dict.fromkeys(destination.numbers)) == list(range(EVENTS))
