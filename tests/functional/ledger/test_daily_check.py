"""The daily check, which a separate process makes."""

import logging
from multiprocessing import active_children
from pathlib import Path
from threading import enumerate as threads

import pytest

from core.settings import Settings
from core.stores.sql import SqlEventStore
from local_runner.background.daily_check import DailyCheck
from tests.support.builders import event
from tests.support.waiting import until


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.msg for record in caplog.records]


def test_a_changed_ledger_is_logged_and_shown(
    settings: Settings, sqlite_store: SqlEventStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_store.add([event(1)])
    with sqlite_store._engine.begin() as connection:  # noqa: SLF001 - a store shows it to no other code
        connection.exec_driver_sql("UPDATE events SET batch = NULL")
    daily = DailyCheck(settings.store_url, tmp_path / "ledger", first=0.01)
    daily.rounds.start()
    with caplog.at_level(logging.INFO):
        until(lambda: "ledger_not_whole" in logged(caplog))
    assert daily.check()["findings"] == 1
    daily.rounds.close()


def test_a_check_that_cannot_be_made_is_logged_and_is_no_finding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    daily = DailyCheck(f"sqlite:///{tmp_path}/missing.db", tmp_path / "ledger", first=0.01, clock=lambda: 5.0)
    daily.rounds.start()
    until(lambda: "ledger_check_failed" in logged(caplog))
    assert daily.check() == {"findings": 0, "checked_at": 5}
    daily.rounds.close()


def test_a_check_ends_when_the_service_stops(
    settings: Settings, sqlite_store: SqlEventStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sqlite_store.add([event(1)])
    others, children = set(threads()), set(active_children())  # of pipelines that other tests left running
    daily = DailyCheck(settings.store_url, tmp_path / "ledger", first=0.01)
    daily.rounds.start()
    until(lambda: set(active_children()) - children)
    daily.rounds.close()
    until(lambda: "daily-check" not in {thread.name for thread in set(threads()) - others})
    assert logged(caplog) == []  # neither a result nor a failure
