"""`audit-log query`, `tail`, `send` and `export` against a running service."""

import csv
import gzip
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit_log_client import Api, Filters, StoredEvent
from audit_log_client.models import MAX_BATCH_EVENTS
from local_runner.cli import main
from tests.support.builders import new_event
from tests.support.service import AUDIT_LOG, Service, environment, free_port, get
from tests.support.waiting import SECONDS, until, within

NOW = 1_700_000_000


def run(service: Service, *arguments: str, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(
        main.app, [*arguments, "--url", service.url], input=stdin, env={"COLUMNS": "200"}, catch_exceptions=False
    )


def lines(event_type: str, count: int, **fields: Any) -> list[str]:
    return [
        json.dumps(new_event(event_type=event_type, timestamp_utc=NOW + n, event_data={"n": n}, **fields))
        for n in range(count)
    ]


def stored(service: Service, event_type: str, at_least: int) -> list[StoredEvent]:
    """The events of a type, the oldest first, once there are so many."""
    found: list[StoredEvent] = []

    def there_are_so_many() -> bool:
        found[:] = api.events(Filters(event_types=(event_type,)), order="asc")
        return len(found) >= at_least

    with Api(service.url) as api:
        until(there_are_so_many, shown=lambda: f"{len(found)} of {at_least}")
    return found


def numbers(events: list[Any]) -> list[int]:
    return [event["event_data"]["n"] for event in events]


def send_file(service: Service, path: Path, content: list[str]) -> Result:
    path.write_text("\n".join(content) + "\n")
    return run(service, "send", str(path))


def test_one_event_is_sent_and_shown(service: Service) -> None:
    sent = run(service, "send", "--event-type", "cli.one", "--customer", "7", "--data", '{"n": 1, "text": "é\\u009b"}')
    assert sent.exit_code == 0, sent.stderr
    [event] = stored(service, "cli.one", 1)
    assert event["event_id"] == sent.stdout.strip()
    table = run(service, "query", "--event-type", "cli.one").stdout
    assert "cli.one" in table
    assert "\x9b" not in table
    assert json.loads(run(service, "query", "--event-type", "cli.one", "--json").stdout) == event


def test_one_event_is_shown_by_its_id(service: Service) -> None:
    sent = run(service, "send", "--event-type", "cli.show", "--customer", "7", "--data", '{"n": 1}')
    [event] = stored(service, "cli.show", 1)
    assert json.loads(run(service, "show", sent.stdout.strip()).stdout) == event
    missing = run(service, "show", "01a20b6c-33a4-7461-840c-3a5021f191b5")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr.startswith("audit-log: No event has this id")


def test_a_query_says_how_many_events_it_does_not_show(service: Service, tmp_path: Path) -> None:
    send_file(service, tmp_path / "events", lines("cli.some", 30))
    stored(service, "cli.some", 30)
    shown = run(service, "query", "--event-type", "cli.some")
    assert shown.stdout.count("cli.some") == 20
    assert shown.stderr == "20 of 30 events; --all shows all of them.\n"
    assert run(service, "query", "--event-type", "cli.some", "--all").stderr == ""
    nothing = run(service, "query", "--event-type", "cli.none")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "No event matches.\n")


def test_a_query_takes_the_filters(service: Service, tmp_path: Path) -> None:
    send_file(service, tmp_path / "events", lines("cli.query", 130, customer_id=8))
    stored(service, "cli.query", 130)

    def found(*options: str) -> list[int]:
        shown = run(service, "query", "--event-type", "cli.query", "--json", *options).stdout
        return numbers([json.loads(line) for line in shown.splitlines()])

    assert found() == list(range(129, 109, -1))
    assert found("--limit", "2", "--oldest-first") == [0, 1]
    assert found("--all", "--customer", "8") == list(range(129, -1, -1))
    assert found("--where", "n=5") == [5]
    assert found("--since", "2023-11-14T22:13:20", "--until", "2023-11-14T22:13:21") == [1, 0]
    assert found("--customer", "9") == []


def test_a_file_sent_again_stores_nothing_twice(service: Service, tmp_path: Path) -> None:
    content = lines("cli.again", MAX_BATCH_EVENTS + 5)
    for _ in range(2):
        sent = send_file(service, tmp_path / "events", content)
        assert (sent.exit_code, sent.stderr.strip()) == (0, "1,005 accepted, 0 not")
    content[3] = content[3].replace("cli.again", "cli.corrected")
    send_file(service, tmp_path / "events", [*content, *lines("cli.last", 1)])
    stored(service, "cli.last", 1)
    assert numbers(stored(service, "cli.again", 1005)) == list(range(1005))
    assert numbers(stored(service, "cli.corrected", 1)) == [3]


def test_a_line_that_is_not_accepted_is_told_with_its_number(service: Service, tmp_path: Path) -> None:
    good, other = lines("cli.rejected", 2)
    untimed = json.dumps(new_event(event_type="cli.rejected"))
    sent = send_file(service, tmp_path / "events", [good, "", "no JSON", untimed, '{"event_type": 5}', other])
    assert sent.exit_code == 1
    told = sent.stderr.splitlines()
    assert [line.split(":")[0] for line in told] == ["line 3", "line 4", "line 5", "2 accepted, 3 not"]
    assert "needs timestamp_utc or event_id" in told[1]
    assert numbers(stored(service, "cli.rejected", 2)) == [0, 1]


def test_lines_from_standard_input_are_new_events(service: Service) -> None:
    line = json.dumps(new_event(event_type="cli.stdin")).encode()
    for _ in range(2):
        assert run(service, "send", "-", stdin=line + b"\n" + line).exit_code == 0
    assert len(stored(service, "cli.stdin", 4)) == 4


def test_a_send_that_was_killed_goes_on_where_it_was(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "events"
    content = lines("cli.killed", 8_000)
    path.write_text("\n".join(content))
    command = [AUDIT_LOG, "send", str(path), "--url", service.url]
    killed = subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.DEVNULL)
    before = len(stored(service, "cli.killed", 1))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert before > 0
    assert run(service, "send", str(path)).exit_code == 0
    assert sorted(numbers(stored(service, "cli.killed", 8_000))) == list(range(8_000))


def test_nothing_is_sent_where_nobody_answers(tmp_path: Path) -> None:
    (tmp_path / "events").write_text(lines("cli.nowhere", 1)[0])
    url = f"http://127.0.0.1:{free_port()}"

    def send() -> None:
        ended = CliRunner().invoke(main.app, ["send", str(tmp_path / "events"), "--url", url])
        assert (ended.exit_code, "that the service is running" in ended.stderr) == (1, True)

    within(5, send)


def test_what_is_exported_can_be_sent_to_the_same_service_and_to_another(service: Service, tmp_path: Path) -> None:
    send_file(service, tmp_path / "events", lines("cli.import", 5))
    exported = stored(service, "cli.import", 5)
    run(service, "export", "--event-type", "cli.import", "--output", str(tmp_path / "export.ndjson.gz"))

    again = run(service, "send", str(tmp_path / "export.ndjson.gz"))
    assert (again.exit_code, again.stderr) == (0, "5 accepted, 0 not\n")
    with Service.start(tmp_path / "other") as other:
        for _ in range(2):
            sent = run(other, "send", str(tmp_path / "export.ndjson.gz"))
            assert (sent.exit_code, sent.stderr) == (0, "5 accepted, 0 not\n")
        imported = stored(other, "cli.import", 5)
        checks = get(f"{other.url}/ready").json()["checks"]
    checks |= {"here": get(f"{service.url}/ready").json()["checks"]["dead_letters"]}

    for before, after in zip(exported, imported, strict=True):
        origin = {"received_at": before["received_at"], "recorded_by": before["recorded_by"]}
        assert after == {
            **before,
            "event_data": {**before["event_data"], "audit_log_origin": origin},
            "received_at": after["received_at"],
        }
        assert after["received_at"] > before["received_at"]
    assert stored(service, "cli.import", 5) == exported, "a repeat is stored once"
    assert [checks["dead_letters"]["count"], checks["here"]["count"]] == [0, 0]


def test_a_dash_is_standard_output(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send_file(service, tmp_path / "events", lines("cli.dash", 3))
    stored(service, "cli.dash", 3)
    monkeypatch.chdir(tmp_path)
    for options in ([], ["--output", "-"]):
        exported = run(service, "export", "--event-type", "cli.dash", *options)
        assert numbers([json.loads(line) for line in exported.stdout.splitlines()]) == [0, 1, 2]
    described = CliRunner().invoke(main.app, ["openapi", "--output", "-"])
    assert json.loads(described.stdout)["openapi"]
    assert [path.name for path in tmp_path.iterdir()] == ["events"]


def test_an_export_to_a_file_that_ends_with_gz_is_compressed(service: Service, tmp_path: Path) -> None:
    send_file(service, tmp_path / "events", lines("cli.gz", 3))
    stored(service, "cli.gz", 3)
    run(service, "export", "--event-type", "cli.gz", "--output", str(tmp_path / "out.ndjson.gz"))
    with gzip.open(tmp_path / "out.ndjson.gz") as file:
        assert numbers([json.loads(line) for line in file]) == [0, 1, 2]


def test_an_export_goes_into_a_pipe_and_through_a_link_which_both_stay(service: Service, tmp_path: Path) -> None:
    send_file(service, tmp_path / "events", lines("cli.special", 3))
    stored(service, "cli.special", 3)
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    link.symlink_to(target)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for output in (pipe, link):
        assert run(service, "export", "--event-type", "cli.special", "--output", str(output)).exit_code == 0
    written = os.read(reader, 65536)
    os.close(reader)
    assert (pipe.is_fifo(), link.is_symlink()) == (True, True)
    assert numbers([json.loads(line) for line in written.splitlines()]) == [0, 1, 2]
    assert target.read_bytes() == written


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
@pytest.mark.parametrize("output", ["-", "/dev/full"])
def test_a_full_disk_is_one_clear_error(service: Service, tmp_path: Path, output: str) -> None:
    send_file(service, tmp_path / "events", lines("cli.full", 3))
    stored(service, "cli.full", 3)
    command = [AUDIT_LOG, "export", "--event-type", "cli.full", "--output", output, "--url", service.url]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert "cannot be written (No space left on device): make room" in ended.stderr
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_an_export_has_every_event_once(service: Service, tmp_path: Path, kind: str) -> None:
    event_type = f"cli.export.{kind}"
    big = [
        json.dumps(new_event(event_type=event_type, timestamp_utc=NOW + n, event_data={"n": n, "x": "x" * 2000}))
        for n in range(2500)
    ]
    send_file(service, tmp_path / "events", big)
    stored(service, event_type, 2500)
    output = tmp_path / "out"
    ended = run(service, "export", "--format", kind, "--event-type", event_type, "--output", str(output))
    assert (ended.exit_code, ended.stderr.strip()) == (0, "2,500 events")
    with output.open(newline="") as file:
        if kind == "csv":
            found = [json.loads(row["event_data"]) for row in csv.DictReader(file)]
        else:
            found = [json.loads(line)["event_data"] for line in file]
    assert [data["n"] for data in found] == list(range(2500))
    assert list(tmp_path.glob("*.part")) == []


def test_an_export_of_nothing_is_an_empty_file(service: Service) -> None:
    ended = run(service, "export", "--event-type", "cli.none")
    assert (ended.exit_code, ended.stdout, ended.stderr.strip()) == (0, "", "0 events")
