"""`audit-log tail` against a running service: every stored event is shown, whatever comes between."""

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Thread, Timer
from typing import Any

import pytest

from audit_log_client import Api, Filters
from core.settings import Settings
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment
from tests.support.waiting import SECONDS, until


@contextmanager
def tailing(service: Service, *options: str, output: Any = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [AUDIT_LOG, "tail", "--json", "--interval", "0.1", "--url", service.url, *options],
        env=environment(service.data_dir), stdout=output, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def post(service: Service, event_type: str, *numbers: int, **fields: Any) -> None:
    events = [new_event(event_type=event_type, event_data={"n": number}, **fields) for number in numbers]
    with service.client() as client:
        client.post("/events", json={"events": events}).raise_for_status()


def shown(process: "subprocess.Popen[str]", count: int) -> list[int]:
    """The numbers of the next `count` events."""
    assert process.stdout
    ended = Timer(SECONDS, process.kill)
    ended.start()
    try:
        return [json.loads(process.stdout.readline())["event_data"]["n"] for _ in range(count)]
    finally:
        ended.cancel()


def started(service: Service, process: "subprocess.Popen[str]", event_type: str) -> None:
    """Wait until events that are stored from now on are shown."""
    post(service, event_type, -1)
    assert shown(process, 1) == [-1]


def in_the_feed(service: Service, event_type: str, count: int) -> None:
    with Api(service.url) as api:
        until(lambda: api.feed(Filters(event_types=(event_type,)))["count"] >= count)


def events_in(output: Path) -> list[dict[str, Any]]:
    """The events in a file, without lines that are incomplete."""
    found = []
    for line in output.read_text().splitlines() if output.exists() else ():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def copied(output: Path) -> set[int]:
    return {event["event_data"]["n"] for event in events_in(output)}


def test_the_newest_events_come_first_and_then_each_new_one_once(service: Service) -> None:
    now = int(time.time())
    for n in range(3):
        post(service, "tail.newest", n, timestamp_utc=now - 300 + n)
    in_the_feed(service, "tail.newest", 3)
    with tailing(service, "--last", "2", "--event-type", "tail.newest") as tail:
        assert shown(tail, 2) == [1, 2]
        post(service, "tail.newest", 3, timestamp_utc=now - 30)
        post(service, "tail.newest", 4, timestamp_utc=now + 10_000)
        post(service, "tail.newest", 5)
        assert sorted(shown(tail, 3)) == [3, 4, 5]


def test_a_back_dated_event_is_shown(service: Service) -> None:
    with tailing(service, "--event-type", "tail.late") as tail:
        started(service, tail, "tail.late")
        post(service, "tail.late", 1, timestamp_utc=int(time.time()) - 300)
        post(service, "tail.late", 2, timestamp_utc=0)
        assert sorted(shown(tail, 2)) == [1, 2]


def test_events_that_wait_for_a_locked_store_are_shown_once_each(tmp_path: Path) -> None:
    """They are stored after the time that a window by their own times could look back."""
    with (
        Service.start(tmp_path / "data") as service,
        tailing(service, "--event-type", "tail.locked") as tail,
    ):
        started(service, tail, "tail.locked")
        store = Settings.from_environ({"AUDIT_LOG_DATA_DIR": str(service.data_dir)}).store_url.removeprefix(
            "sqlite:///"
        )
        with closing(sqlite3.connect(store, isolation_level=None, timeout=SECONDS)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            post(service, "tail.locked", *range(5), timestamp_utc=int(time.time()) - 80)
            with service.client() as client:
                assert client.get("/event?event_type=tail.locked").json()["total_count"] == 1
            connection.execute("ROLLBACK")
        assert sorted(shown(tail, 5)) == [0, 1, 2, 3, 4]
        post(service, "tail.locked", 5)
        assert shown(tail, 1) == [5]


def goes_on(tail: "subprocess.Popen[str]", output: Path, before: int) -> bool:
    """Whether there are more events in the file than before."""
    assert tail.poll() is None
    return len(events_in(output)) > before


def test_a_tail_with_a_state_loses_nothing_to_kills(tmp_path: Path) -> None:
    kills, posted, ended = 4, 0, Flag()
    output, state = tmp_path / "copy.ndjson", tmp_path / "place"

    def write() -> None:
        nonlocal posted
        while not ended.wait(0.02):
            post(service, "tail.killed", *range(posted, posted + 3), timestamp_utc=1_700_000_000 + posted % 7)
            posted += 3

    with Service.start(tmp_path / "data") as service:
        writer = Thread(target=write)
        writer.start()
        try:
            for turn in range(kills + 1):
                before = len(events_in(output))
                options = ["--from-start", "--state", str(state), "--event-type", "tail.killed"]
                with output.open("a") as file, tailing(service, *options, output=file) as tail:
                    if turn == kills:
                        ended.set()
                        writer.join()
                    until(partial(goes_on, tail, output, before))
                    if turn == kills:
                        until(lambda: len(copied(output)) == posted)
        finally:
            ended.set()
            writer.join()
    assert copied(output) == set(range(posted))
    indices = list(dict.fromkeys(event["index"] for event in events_in(output)))
    assert indices == sorted(indices)
    assert len(indices) == posted


def test_a_state_is_written_before_the_first_event(service: Service, tmp_path: Path) -> None:
    state = tmp_path / "place"
    with tailing(service, "-n", "0", "--state", str(state), "--event-type", "tail.state"):
        until(state.exists)
    post(service, "tail.state", 1, 2)
    with tailing(service, "--state", str(state), "--event-type", "tail.state") as tail:
        assert shown(tail, 2) == [1, 2]


def test_an_event_on_an_incomplete_line_is_repeated_on_the_next(service: Service, tmp_path: Path) -> None:
    output, state = tmp_path / "copy.ndjson", tmp_path / "place"
    output.write_text('{"event_id": "01a')
    with Api(service.url) as api:
        state.write_text(api.feed(Filters(), after="now")["next_cursor"])
    post(service, "tail.torn", 2)
    with output.open("a") as file, tailing(service, "--state", str(state), "--event-type", "tail.torn", output=file):
        until(lambda: copied(output) == {2})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty: delete it"),
        ("not a cursor", "has no place of this log"),
        ("é", "cannot be read"),
        (None, "directory"),
    ],
)
def test_a_file_that_holds_no_place_is_refused(
    service: Service, tmp_path: Path, content: str | None, says: str
) -> None:
    state = tmp_path / "place"
    if content is None:
        state = tmp_path / "missing" / "place"
    else:
        state.write_text(content)
    with tailing(service, "-n", "0", "--state", str(state)) as tail:
        output, errors = tail.communicate(timeout=SECONDS)
        assert (tail.returncode, output) == (1, "")
    assert says in errors
    assert "Traceback" not in errors
    assert content is None or state.read_text() == content


def test_a_tail_outlives_a_restart_of_the_service(tmp_path: Path) -> None:
    with Service.start(tmp_path / "data") as first:
        tail = subprocess.Popen(
            [AUDIT_LOG, "tail", "--json", "--interval", "0.1", "--url", first.url],
            env=environment(tmp_path) | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert tail.stdout
        assert tail.stderr
        try:
            post(first, "tail.restart", 1)
            assert shown(tail, 1) == [1]
            first.stop()
            assert "Waiting for it." in tail.stderr.readline()
            command = [AUDIT_LOG, "serve", "--port", str(first.port)]
            with Service(command, first.port, first.data_dir, {}).wait_until_up() as second:
                post(second, "tail.restart", 2)
                assert shown(tail, 1) == [2]
                tail.send_signal(signal.SIGINT)
                rest, _ = tail.communicate(timeout=SECONDS)
                assert (tail.returncode, rest) == (130, "")
        finally:
            tail.kill()
