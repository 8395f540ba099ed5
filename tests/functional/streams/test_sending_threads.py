"""Threads of the dispatcher: destinations that hang do not keep others waiting."""

import threading
from datetime import timedelta

from sqlalchemy import Engine

from core.domain.streams import Stream
from core.stores.feed import SqlFeed
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from core.streams.delivery import Sender
from core.streams.dispatcher import Dispatcher
from core.streams.outlets import Outlet
from tests.support.builders import event
from tests.support.fakes import FakeClock, FakeMeter
from tests.support.streams import NOW, FakeDestination, StoreEvents, make_stream, outlet, record
from tests.support.waiting import SECONDS, until

THREADS = 4
FAILED = {"failures": 1, "failing_since": NOW - timedelta(minutes=1), "next_try_at": NOW, "reason": "It hung."}


def test_streams_that_fail_take_half_of_the_threads_and_the_others_are_sent(
    engine: Engine, streams: SqlStreams, leases: SqlStreamLeases, clock: FakeClock, store_events: StoreEvents
) -> None:
    for number in range(1, 2 * THREADS):
        streams.add_stream(make_stream(number, **FAILED), record())
    healthy = make_stream(99)
    streams.add_stream(healthy, record())
    store_events(event(1))
    released = threading.Event()
    hanging = FakeDestination(on_send=lambda: released.wait(SECONDS))
    well = FakeDestination()

    def open_outlet(stream: Stream) -> Outlet:
        return outlet(well if stream.stream_id == healthy.stream_id else hanging)

    sender = Sender(SqlFeed(engine), leases, open_outlet, FakeMeter(), clock)
    dispatcher = Dispatcher(sender, threads=THREADS)

    def sent() -> bool:
        dispatcher.round()
        return 1 in well.numbers and hanging.attempts >= THREADS // 2

    try:
        until(sent, "a round in which the stream does not wait for those that hang", seconds=SECONDS / 2)
        for _ in range(5):
            dispatcher.round()
        assert hanging.attempts == THREADS // 2
    finally:
        released.set()
        dispatcher.close()
