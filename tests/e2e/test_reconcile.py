"""`audit-log reconcile` while the service runs: its figures, its verdict and its status."""

import json
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment
from tests.support.waiting import SECONDS, until

EVENTS = 7


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service.start(tmp_path / "data") as running:
        with running.client() as client:
            for _ in range(EVENTS):
                client.post("/event", json=new_event()).raise_for_status()
        yield running


def run(data_dir: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return forked.run(
        [AUDIT_LOG, "reconcile", *options], env=environment(data_dir, **settings) | {"COLUMNS": "200"}, timeout=SECONDS
    )


def with_the_current_minute() -> tuple[str, str]:
    return "--until", f"{datetime.now(UTC) + timedelta(minutes=2):%Y-%m-%dT%H:%M}"


def balanced(service: Service) -> dict[str, object]:
    """The figures once all events are stored and counted, which takes a second."""

    def figures() -> dict[str, object]:
        found: dict[str, object] = json.loads(run(service.data_dir, "--json", *with_the_current_minute()).stdout)
        return found if found["accepted"] == found["stored"] == EVENTS else {}

    found: dict[str, object] = until(figures)
    return found


def test_every_accepted_event_is_accounted_for_and_one_that_is_lost_is_missed(service: Service) -> None:
    figures = balanced(service)
    nothing = dict.fromkeys(("repeated", "dead_lettered", "in_flight", "difference"), 0)
    assert figures.items() >= {"accepted": EVENTS, "stored": EVENTS, **nothing}.items()
    since, end = (datetime.fromisoformat(str(figures[name])) for name in ("since", "until"))
    assert (end - since, end.second) == (timedelta(days=1), 0)

    with closing(sqlite3.connect(service.data_dir / "audit-log.db")) as database, database:
        database.execute("DELETE FROM events WHERE number IN (SELECT number FROM events LIMIT 2)")
    ended = run(service.data_dir, *with_the_current_minute())
    assert ended.returncode == 1
    assert "accepted events are missing" in ended.stdout
    assert f"to {end:%Y-%m-%d}" in ended.stdout


def test_a_data_directory_that_is_moved_counts_its_events_once(service: Service, tmp_path: Path) -> None:
    balanced(service)
    service.stop(signal.SIGKILL)
    for former, place in pairwise((service.data_dir, tmp_path / "another path", tmp_path / "a third")):
        shutil.move(former, place)
        with Service.start(place) as moved:
            figures = balanced(moved)
            assert (figures["accepted"], figures["difference"]) == (EVENTS, 0)


def test_a_window_without_events_says_so(service: Service) -> None:
    ended = run(service.data_dir, "--since", "2020-01-01", "--until", "2020-01-02T12:30")
    assert ended.returncode == 0
    assert "received from 2020-01-01 00:00 to 2020-01-02 12:30 UTC" in ended.stdout
    assert "no event was accepted in this time" in ended.stdout


def test_a_window_that_ends_before_it_begins_is_a_wrong_call(tmp_path: Path) -> None:
    ended = run(tmp_path, "--since", "2026-01-02", "--until", "2026-01-01")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--since" in ended.stderr


def test_without_an_event_store_the_directory_is_named_and_nothing_created(tmp_path: Path) -> None:
    ended = run(tmp_path / "elsewhere")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"There is no event store audit-log.db in {tmp_path}/elsewhere" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_spool_only_the_service_knows_what_is_in_flight(service: Service) -> None:
    ended = run(service.data_dir, spool="off")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "AUDIT_LOG_SPOOL=off" in ended.stderr
