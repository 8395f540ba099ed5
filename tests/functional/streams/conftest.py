"""A log in a SQLite file, a destination in memory, and a sender between them."""

import pytest
from sqlalchemy import Engine

from core.stores.feed import SqlFeed
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from core.streams.delivery import Sender
from tests.support.fakes import FakeClock, FakeMeter
from tests.support.streams import NOW, FakeDestination, outlet


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW.timestamp())


@pytest.fixture
def meter() -> FakeMeter:
    return FakeMeter()


@pytest.fixture
def streams(engine: Engine) -> SqlStreams:
    return SqlStreams(engine)


@pytest.fixture
def leases(engine: Engine) -> SqlStreamLeases:
    return SqlStreamLeases(engine)


@pytest.fixture
def destination() -> FakeDestination:
    return FakeDestination()


@pytest.fixture
def sender(
    engine: Engine, leases: SqlStreamLeases, destination: FakeDestination, meter: FakeMeter, clock: FakeClock
) -> Sender:
    return Sender(SqlFeed(engine), leases, lambda _stream: outlet(destination), meter, clock)
