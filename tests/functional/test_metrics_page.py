"""The reference of metrics, compared with the metrics that each kind of process exposes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from core.ports.queue import QueueStatistics
from core.ports.telemetry import CounterName
from core.settings import Settings
from core.wiring import Services
from local_runner.background.management import ManagementServer
from local_runner.telemetry.requests import OTHER
from tests.support.documents import Row, quoted, read, table
from tests.support.pipelines import start_pipeline

PAGE = read("docs/reference/metrics.md")
ROWS = table(PAGE, "metric", "type", "labels", "exposed by", "meaning")
IN_MEMORY = "`memory://` without a spool, `chalice local`"
OWN_LABELS = {"le"}  # of a histogram


def scrape(monitor: ManagementServer) -> list[Metric]:
    return list(text_string_to_metric_families(generate_latest(monitor.registry).decode()))


def in_process(settings: Settings) -> list[Metric]:
    """A service with the in-memory queue in its one process, as `chalice local`."""
    monitor = ManagementServer()
    monitor.requests()
    pipeline = start_pipeline(settings, meter=monitor.meter)
    monitor.watch(pipeline.services, restarts=lambda: pipeline.restarts)
    try:
        return scrape(monitor)
    finally:
        pipeline.close()


def on_a_broker(settings: Settings, **more: Any) -> Services:
    statistics = QueueStatistics(waiting=3, dead_letters=0)
    checks: dict[str, Any] = {"queue": statistics.facts, "ledger": lambda: {"size": 7, "oldest_pending_seconds": 0.0}}
    return Services(settings, queue_statistics=lambda: statistics, checks=checks | more)


def serving(settings: Settings) -> list[Metric]:
    """A service on a broker."""
    monitor = ManagementServer()
    monitor.requests()
    monitor.watch(on_a_broker(settings), restarts=None)
    return scrape(monitor)


def working(settings: Settings) -> list[Metric]:
    """A worker that signs the ledger and sends streams."""
    monitor = ManagementServer()
    streams = {"active": 1, "paused": 0, "suspended": 0, "refused": 0, "behind_seconds": 0.5}
    services = on_a_broker(
        settings,
        signing=lambda: {"signed": 5},
        history=lambda: {"findings": 0, "checked_at": 1},
        streams=lambda: streams,
        alert_rules=lambda: {"active": 1, "paused": 0, "behind_seconds": 0.5},
    )
    monitor.watch(services, restarts=lambda: 0)
    return scrape(monitor)


def described(family: Metric) -> tuple[str, str, frozenset[str]]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return name, family.type, frozenset(label for sample in family.samples for label in sample.labels) - OWN_LABELS


def printed(row: Row) -> tuple[str, str, frozenset[str]]:
    name, kind, labels, *_ = row
    return quoted(name)[0], kind, frozenset(quoted(labels))


@pytest.mark.parametrize(
    ("process", "exposed_by"),
    [
        (in_process, {"all", "serve", "consumer", "`memory://`", IN_MEMORY}),
        (serving, {"all", "serve"}),
        (working, {"all", "consumer"}),
    ],
)
def test_the_page_lists_exactly_the_metrics_of_each_process(
    process: Callable[[Settings], list[Metric]], exposed_by: set[str], settings: Settings
) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    assert {printed(row) for row in ROWS if row[3] in exposed_by} == set(map(described, process(settings)))


def test_every_metric_is_listed_once() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)
    assert {row[3] for row in ROWS} == {"all", "serve", "consumer", "`memory://`", IN_MEMORY}


def test_the_outcomes_are_those_that_are_counted() -> None:
    elsewhere = ("witness_", "anchor_", "stream_")  # in the rows of their metrics
    counted = [name.value.removeprefix("token_") for name in CounterName if not name.value.startswith(elsewhere)]
    assert [quoted(row[0])[0] for row in table(PAGE, "outcome", "meaning")] == counted


def test_the_label_for_everything_else_is_named() -> None:
    rows = {quoted(label)[0]: values for label, values in table(PAGE, "label", "values")}
    assert rows.keys() == {"route", "method", "status", "check"}
    assert all(f"`{OTHER}`" in rows[label] for label in ("route", "method"))
    assert re.findall(r"\dxx", rows["status"]) == ["2xx", "4xx", "5xx"]


def test_a_process_that_sends_nothing_shows_that_streams_and_rules_wait(settings: Settings) -> None:
    shown = {family.name for family in in_process(settings.model_copy(update={"streams": "off"}))}
    assert {"audit_log_stream_behind_seconds", "audit_log_alert_rule_behind_seconds"} <= shown
