"""Streams of an AWS stage: one call of the function sends what there is, and lets the streams go."""

from pathlib import Path

from core.settings import Settings
from core.stores.stream_leases import SqlStreamLeases
from core.wiring import Services
from functions.operations.streams import send
from tests.support.builders import event
from tests.support.fakes import FakeQueue
from tests.support.streams import StoreEvents, make_stream, record


def test_a_call_sends_streams_and_lets_them_go(
    settings: Settings, queue: FakeQueue, store_events: StoreEvents, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    services = Services(settings, publisher=queue)
    destination = {"kind": "directory", "path": str(tmp_path / "out"), "every": 0}
    services.database.streams.add_stream(make_stream(destination=destination), record())
    store_events(event(1))
    assert send(services, seconds=2.0, pause=0.05)["active"] == 1
    assert len(list((tmp_path / "out").rglob("*.gz"))) >= 1
    (lease,) = SqlStreamLeases(services.database.engine).active()
    assert lease.holder is None
    assert lease.stream.position >= 1
    services.close()
