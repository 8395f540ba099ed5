"""Streams and alert rules of an AWS stage: one call deals with what there is, and lets streams and rules go."""

import logging
import time
from pathlib import Path

import pytest

from core.aws import metrics
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
    assert send(services, "dev", seconds=2.0, pause=0.05)["active"] == 1
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
    assert send(services, "dev", seconds=0.5, pause=0.05)["alert_rules"] == {
        "active": 1,
        "paused": 0,
        "behind_seconds": 0.0,
    }
    store_events()
    found = services.feed.read(FeedRequest(EventFilter(event_types=("audit-log.alert",)))).entries
    assert [alert.event_data["count"] for _, alert in found] == [3]
    (lease,) = SqlAlertMemory(services.database.engine).active()
    assert lease.holder is None
    services.close()


def test_a_call_shows_delays_and_suspended_streams_as_metrics(
    settings: Settings, queue: FakeQueue, store_events: StoreEvents, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    services = Services(settings, publisher=queue, clock=lambda: time.time() + 1800)
    missing = {"kind": "directory", "path": "/nowhere"}
    services.database.streams.add_stream(make_stream(destination=missing), record())
    services.database.streams.add_stream(make_stream(2, destination=missing, state="suspended"), record())
    services.database.alert_rules.add_rule(make_rule(), record("alert-rule.created"))
    store_events(event(1))
    send(services, "dev", seconds=0.3, pause=0.05)
    found: dict[str, tuple[str, float]] = {}
    for written in map(vars, caplog.records):
        for metric in written.get("_aws", {"CloudWatchMetrics": []})["CloudWatchMetrics"]:
            for each in metric["Metrics"]:
                found[each["Name"]] = each["Unit"], written[each["Name"]]
    assert found[metrics.STREAMS_SUSPENDED] == ("Count", 1)
    unit, delay = found[metrics.STREAM_BEHIND]
    assert unit == "Seconds"
    assert 1800 <= delay < 1900
    assert found[metrics.ALERT_RULE_BEHIND] == ("Seconds", 0)
    services.close()


class BrokenEvaluator:
    """Stands for `Evaluator`, and for `AlertRuleServices` with the status of the rules."""

    def evaluator(self) -> "BrokenEvaluator":
        return self

    def round(self) -> None:
        raise RuntimeError("a bug")

    def close(self) -> None:
        pass

    @property
    def status(self) -> "BrokenEvaluator":
        return self

    def check(self) -> dict[str, float]:
        return {"behind_seconds": 0.0}


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
        send(services, "dev", seconds=2.0, pause=0.05)
    assert list((tmp_path / "out").rglob("*.gz"))
    services.close()
