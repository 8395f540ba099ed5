"""No command lets a stored text command the terminal: U+009B begins a control sequence, U+202E turns the direction."""

import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit_log_client import Api, Filters
from core.ports.queue import Message
from functions.consume_events import lambda_consumer
from local_runner.cli.main import app
from local_runner.queue.dead_letters import FILE_NAME, DeadLetterFile
from tests.support import forked
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment
from tests.support.waiting import until

HOSTILE = "a\u009b31m\u202eb"
ESCAPED = r"a\u009b31m\u202eb"
COMMANDING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
EVENT = new_event(event_type="a\u202eb", customer_id=9, event_data={HOSTILE: HOSTILE})


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a hostile event, client and dead letter."""
    with Service.start(tmp_path_factory.mktemp("hostile") / "data") as running:
        with running.client() as client:
            client.post("/event", json=EVENT).raise_for_status()
        with Api(running.url) as api:
            until(lambda: api.page(Filters())["events"])
        with closing(sqlite3.connect(running.data_dir / "audit-log.db")) as database, database:
            database.execute(
                "INSERT INTO clients (client_id, name, scopes, secret_digest, created_at) VALUES (?, ?, ?, ?, ?)",
                ("client-1", "a\u202eb", '["events:read"]', "0" * 64, 0),
            )
        letter = json.dumps({**EVENT, "event_id": HOSTILE, "received_at": HOSTILE}, ensure_ascii=False)
        letters = DeadLetterFile(running.data_dir / FILE_NAME, lambda_consumer(None))  # type: ignore[arg-type]  # not used
        letters.add([Message("", "", letter, 5, 0.0), Message("", "", HOSTILE, 5, 0.0)])
        yield running


def run(service: Service, *arguments: str, stdin: str = "") -> Result:
    environ = environment(service.data_dir) | {"COLUMNS": "300"}
    return CliRunner().invoke(app, arguments, env=environ, input=stdin.encode())


@pytest.mark.parametrize(
    "command",
    [
        ["query", "--url", "URL"],
        ["query", "--url", "URL", "--json"],
        ["dead-letters", "list"],
        ["dead-letters", "list", "--json"],
        ["dead-letters", "show", "1"],
        ["dead-letters", "show", "2"],
        ["client", "list"],
        ["client", "show", "client-1"],
    ],
    ids=" ".join,
)
def test_what_is_stored_is_shown_escaped(service: Service, command: list[str]) -> None:
    shown = run(service, *(service.url if word == "URL" else word for word in command))
    assert (shown.exit_code, shown.stderr) == (0, ""), shown.exception
    assert (r"a\u202eb" if command[0] == "client" else ESCAPED) in shown.stdout
    assert not COMMANDING.search(shown.stdout)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["lines", "json"])
def test_what_is_followed_is_shown_escaped(service: Service, options: list[str]) -> None:
    command = [AUDIT_LOG, "tail", "--url", service.url, "--last", "1", *options]
    environ = environment(service.data_dir) | {"PYTHONUNBUFFERED": "1"}
    tail = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    assert tail.stdout
    try:
        line = tail.stdout.readline()
    finally:
        tail.send_signal(signal.SIGKILL)
        tail.communicate()
    assert ESCAPED in line
    assert not COMMANDING.search(line)


def test_json_that_is_shown_is_what_is_stored(service: Service) -> None:
    [event] = map(json.loads, run(service, "query", "--url", service.url, "--json").stdout.splitlines())
    assert event["event_data"] == {HOSTILE: HOSTILE}
    letters = [json.loads(line) for line in run(service, "dead-letters", "list", "--json").stdout.splitlines()]
    assert [letters[0]["event"]["event_id"], letters[1]["event"]] == [HOSTILE, HOSTILE]
    assert json.loads(run(service, "dead-letters", "show", "2").stdout)["event"] == HOSTILE


@pytest.mark.parametrize(
    "command",
    [["client", "show", HOSTILE], ["client", "rotate", HOSTILE], ["dead-letters", "show", HOSTILE + "x"]],
    ids=lambda command: " ".join(command[:2]),
)
def test_an_error_names_what_was_asked_for_escaped(service: Service, command: list[str]) -> None:
    ended = forked.run([AUDIT_LOG, *command], env=environment(service.data_dir))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert r"a\x9b31m\u202eb" in ended.stderr
    assert not COMMANDING.search(ended.stderr)


def test_a_reason_of_the_service_is_shown_escaped(service: Service) -> None:
    line = json.dumps({**EVENT, HOSTILE: 1, "timestamp_utc": 1}, ensure_ascii=False)
    sent = run(service, "send", "-", "--url", service.url, stdin=line)
    assert sent.exit_code == 1
    assert "line 1: " in sent.stderr
    assert ESCAPED in sent.stderr
    assert not COMMANDING.search(sent.stderr)


def test_a_refusal_of_the_service_is_one_escaped_line(service: Service) -> None:
    ended: Any = forked.run(
        [AUDIT_LOG, "query", "--url", service.url, "--where", f"{HOSTILE}[x=1"], env=environment(service.data_dir)
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("audit-log: ")
    assert ended.stderr.count("\n") == 1
    assert not COMMANDING.search(ended.stderr)
