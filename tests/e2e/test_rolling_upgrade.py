"""Processes of version 0.1.0 next to those of the version under test, and its way back."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from core.stores.migrations.revision import NEWEST
from tests.faults.brokers import stored_by
from tests.support import databases, forked
from tests.support.builders import new_event
from tests.support.former_versions import FormerVersion, former_version
from tests.support.rabbitmq import queue_url
from tests.support.service import AUDIT_LOG, Service, environment, free_port
from tests.support.waiting import SECONDS, until

SECRET = "the-hosts-of-both-versions-sign-with-this"


@pytest.fixture(scope="module")
def old() -> FormerVersion:
    return former_version("0.1.0")


@pytest.fixture
def database_url() -> Iterator[str]:
    with databases.throwaway(databases.POSTGRESQL) as url:
        yield url


def run(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return forked.run([AUDIT_LOG, *arguments], env=environment(data_dir, **settings), timeout=SECONDS)


class Accepted:
    """Posts events to services of both versions, and keeps what they accepted."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}

    def post(self, api: httpx.Client, count: int) -> None:
        for _ in range(count):
            event = new_event(event_data={"number": len(self.events), "text": "Zoë", "values": [1.5, None, True]})
            answer = api.post("/event", json=event).raise_for_status()
            self.events[answer.json()["event_id"]] = event

    def are_all_returned_by(self, api: httpx.Client) -> bool:
        """Whether a service returns every accepted event once, and each as it was posted."""
        found = [
            {name: event[name] for name in ("event_id", "event_type", "customer_id", "event_data")}
            for event in api.get("/event", params={"limit": 1000}).raise_for_status().json()["events"]
        ]
        expected = [{"event_id": event_id, **event} for event_id, event in self.events.items()]
        return sorted(found, key=lambda each: each["event_id"]) == sorted(expected, key=lambda each: each["event_id"])


def test_both_versions_side_by_side_lose_nothing_and_read_each_others_events(
    tmp_path: Path, old: FormerVersion, database_url: str
) -> None:
    data, accepted = tmp_path / "data", Accepted()
    with ExitStack() as stack:
        broker = stack.enter_context(queue_url())
        settings = {"database_url": database_url, "queue_url": broker, "jwt_secret": SECRET}
        old_api, old_worker = (stack.enter_context(old.start(data, name, **settings)) for name in ("serve", "worker"))
        api = stack.enter_context(old_api.client())
        accepted.post(api, 10)
        until(lambda: accepted.are_all_returned_by(api))

        assert run(data, "migrate", **settings).stdout == f"migrated from 0004 to {NEWEST}\n"
        new_api, new_worker = (stack.enter_context(_start(data, name, settings)) for name in ("serve", "worker"))
        other = stack.enter_context(new_api.client())
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: accepted.post(each, 30), (api, other)))
        until(lambda: accepted.are_all_returned_by(other))
        assert accepted.are_all_returned_by(api)
        assert min(stored_by(old_worker), stored_by(new_worker)) > 10

        old_worker.stop()
        accepted.post(api, 5)
        old_api.stop()
        accepted.post(other, 5)
        until(lambda: accepted.are_all_returned_by(other))
        until(lambda: run(data, "reconcile", **settings).returncode == 0)
        assert run(data, "ledger", "adopt", **settings).stdout.startswith("adopted")
        check = partial(run, data, "ledger", "check", "--processes", "1", **settings)
        until(lambda: check().returncode == 0, shown=lambda: check().stdout)


def _start(data: Path, command: str, settings: dict[str, str]) -> Service:
    port = free_port()
    return Service([AUDIT_LOG, command, "--port", str(port)], port, data, settings).wait_until_up()


def words(command: str) -> list[str]:
    """Those of the command line; `serve` looks at its port before the database, so that it gets a free one."""
    return [*command.split(), *(["--port", str(free_port())] if command == "serve" else [])]


@pytest.mark.parametrize("command", ["serve", "migrate", "client list"])
def test_the_former_version_refuses_a_database_of_this_one(tmp_path: Path, old: FormerVersion, command: str) -> None:
    data = tmp_path / "data"
    assert run(data, "migrate").returncode == 0
    ended = old.run(data, *words(command))
    assert ended.returncode == 1
    assert "made by a newer version of this service: run that version" in ended.stderr


@pytest.mark.parametrize("command", ["serve", "migrate", "client list", "reconcile", "ledger check"])
def test_this_version_refuses_a_database_of_a_later_one(tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    assert run(data, "migrate").returncode == 0
    with databases.opened(f"sqlite:///{data / 'audit-log.db'}") as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ended = run(data, *words(command))
    assert ended.returncode == 1
    assert "made by a newer version of this service: run that version, or use the backup" in ended.stderr
    assert f"at revision 9999, and this version knows those up to {NEWEST}" in ended.stderr
