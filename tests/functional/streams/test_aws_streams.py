"""Streams and alert rules of an AWS stage: one call deals with what there is, and lets streams and rules go."""

from pathlib import Path

import pytest

from core.domain.queries import EventFilter
from core.ports.feed import FeedRequest
from core.settings import Settings
from core.stores.alert_memory import SqlAlertMemory
from core.stores.stream_leases import SqlStreamLeases
from core.wiring import Services
from functions.operations.streams import send
from tests.support.alert_rules import happened, make_rule
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


def test_a_call_evaluates_alert_rules_and_lets_them_go(
    settings: Settings, queue: FakeQueue, store_events: StoreEvents
) -> None:
    services = Services(settings, publisher=queue)
    services.database.alert_rules.add_rule(make_rule(), record("alert-rule.created"))
    store_events(*(happened(number, number) for number in range(3)))
    assert send(services, seconds=0.5, pause=0.05)["alert_rules"] == {"active": 1, "paused": 0, "behind_seconds": 0.0}
    store_events()
    found = services.feed.read(FeedRequest(EventFilter(event_types=("audit-log.alert",)))).entries
    assert [alert.event_data["count"] for _, alert in found] == [3]
    (lease,) = SqlAlertMemory(services.database.engine).active()
    assert lease.holder is None
    services.close()


class BrokenEvaluator:
    """Stands for `Evaluator` and for the parts that build it."""

    def evaluator(self) -> "BrokenEvaluator":
        return self

    def round(self) -> None:
        raise RuntimeError("a bug")

    def close(self) -> None:
        pass


def test_a_failure_of_the_evaluation_stops_no_stream_and_is_raised_at_the_end(
    settings: Settings, queue: FakeQueue, store_events: StoreEvents, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    services = Services(settings, publisher=queue)
    vars(services)["alert_rules"] = BrokenEvaluator()
    destination = {"kind": "directory", "path": str(tmp_path / "out"), "every": 0}
    services.database.streams.add_stream(make_stream(destination=destination), record())
    store_events(event(1))
    with pytest.raises(RuntimeError, match="a bug"):
        send(services, seconds=2.0, pause=0.05)
    assert list((tmp_path / "out").rglob("*.gz"))
    services.close()
