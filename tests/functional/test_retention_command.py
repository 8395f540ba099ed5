"""`audit-log retention ...` with the data of a service, its archives, and the timer of a running one."""

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.domain.queries import EventFilter, PageRequest
from core.domain.retention import RetentionRule
from core.errors import ArchiveUnavailableError
from core.settings import Settings
from core.stores.database import Database
from core.stores.holds import Hold, place
from core.stores.migrations.upgrade import migrate
from core.stores.retention_rules import read_rules, set_rule
from local_runner.background.archive import EventArchive, open_archive
from local_runner.background.retention import RetentionTimer
from local_runner.cli.main import app
from local_runner.cli.remote.event_file import batches
from local_runner.pipeline import Pipeline
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.service import environment
from tests.support.waiting import until

OLD = 86_400 * 365


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """A service with five events, the first three of which are old; all are under a signed checkpoint."""
    started = start_pipeline(Settings(data_dir=tmp_path / "data", ledger_seconds=1))
    now = int(time.time())
    started.services.acceptance.publish(
        [event(number, timestamp_utc=now - (OLD if number < 3 else 0)) for number in range(5)]
    )
    until(lambda: started.services.checks["signing"]().get("signed") == 5)
    yield started
    started.close()


def run(pipeline: Pipeline, *arguments: object) -> tuple[int, str]:
    settings = environment(pipeline.services.settings.data_dir)
    ended = CliRunner().invoke(app, [*map(str, arguments)], env=settings)
    return ended.exit_code, ended.output


def stored(pipeline: Pipeline) -> list[int]:
    reader = pipeline.services.reader
    return [number for number in range(5) if reader.get(event(number).event_id)]


def test_rules_are_set_shown_and_removed(pipeline: Pipeline) -> None:
    assert run(pipeline, "retention", "list") == (0, "There is no rule: all events are kept.\n")
    status, text = run(pipeline, "retention", "set", "--keep-days", 300)
    assert (status, "300 days: all types of all customers: 3 events before " in text) == (0, True)
    assert run(pipeline, "retention", "set", "--keep-days", 9, "--type", "a", "--customer", -5)[0] == 0
    lines = run(pipeline, "retention", "list", "--json")[1].splitlines()
    assert [json.loads(line)["keep_days"] for line in lines] == [300, 9]
    assert run(pipeline, "retention", "remove", "--type", "a", "--customer", -5)[0] == 0
    assert run(pipeline, "retention", "remove", "--type", "a")[0] == 1
    for days in (0, -1, 36_501):
        assert run(pipeline, "retention", "set", "--keep-days", days)[0] == 2
    assert stored(pipeline) == [0, 1, 2, 3, 4]


def test_a_file_replaces_all_rules_or_none(pipeline: Pipeline, tmp_path: Path) -> None:
    run(pipeline, "retention", "set", "--keep-days", 9, "--type", "gone")
    run(pipeline, "retention", "set", "--keep-days", 40, "--type", "same")
    file = tmp_path / "rules"
    rules = ['{"keep_days": 300}', '{"type": "same", "keep_days": 40}', '{"type": "a", "customer": -5, "keep_days": 9}']
    file.write_text("\n".join(["# ours", "", *rules]))
    before = run(pipeline, "retention", "list", "--json")[1]
    status, text = run(pipeline, "retention", "set", "--file", file, "--dry-run")
    assert (status, "300 days: all types of all customers: 3 events before " in text) == (0, True)
    assert run(pipeline, "retention", "list", "--json")[1] == before
    assert run(pipeline, "retention", "set", "--file", file)[0] == 0
    listed = run(pipeline, "retention", "list", "--json")[1]
    assert [(each["type"], each["customer"], each["keep_days"]) for each in map(json.loads, listed.splitlines())] == [
        (None, None, 300), ("a", -5, 9), ("same", None, 40),
    ]  # fmt: skip
    recorded = pipeline.services.reader.find_page(EventFilter(customer_ids=(-1,)), PageRequest(order="asc")).events
    kinds = [
        each.event_type.removeprefix("audit-log.retention.") for each in recorded if "retention" in each.event_type
    ]
    assert kinds == ["set", "set", "removed", "set", "set"], "a rule that stays is no event"
    file.write_text(listed)
    assert run(pipeline, "retention", "set", "--file", file)[0] == 0, "the output of list is a file of rules"
    assert run(pipeline, "retention", "list", "--json")[1] == listed


def test_a_wrong_file_changes_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    run(pipeline, "retention", "set", "--keep-days", 300)
    before = run(pipeline, "retention", "list", "--json")
    file = tmp_path / "rules"
    file.write_text('{"keep_days": 9}\n{"type": "a"}\n')
    ended = CliRunner().invoke(
        app, ["retention", "set", "--file", str(file)], env=environment(pipeline.services.settings.data_dir)
    )
    assert (ended.exit_code, "line 2: keep_days is required" in str(ended.exception)) == (1, True)
    assert run(pipeline, "retention", "list", "--json") == before


def test_rules_that_would_delete_everything_are_refused_unless_asked_for(tmp_path: Path) -> None:
    database = Database(Settings(data_dir=tmp_path).store_url)
    migrate(database.engine)
    database.events.add([event(1, timestamp_utc=int(time.time()) - OLD)])
    file = tmp_path / "rules"
    file.write_text('{"keep_days": 1}')
    for arguments in (["--keep-days", "1"], ["--file", str(file)], ["--keep-days", "1", "--dry-run"]):
        ended = CliRunner().invoke(app, ["retention", "set", *arguments], env=environment(tmp_path))
        assert (ended.exit_code, "--everything" in str(ended.exception)) == (1, True)
        assert read_rules(database.engine) == []
    arguments = ["retention", "set", "--file", str(file), "--everything"]
    assert CliRunner().invoke(app, arguments, env=environment(tmp_path)).exit_code == 0
    assert read_rules(database.engine) == [RetentionRule(None, None, 1)]
    database.close()


def test_a_file_goes_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    for arguments in ((), ("--file", tmp_path, "--keep-days", 3), ("--file", tmp_path, "--type", "a")):
        assert run(pipeline, "retention", "set", *arguments)[0] == 2
    assert run(pipeline, "retention", "set", "--file", tmp_path / "none")[0] == 1


def test_a_dry_run_and_a_no_delete_nothing(pipeline: Pipeline) -> None:
    run(pipeline, "retention", "set", "--keep-days", 300)
    assert "3 events" in run(pipeline, "retention", "apply", "--dry-run")[1]
    status, text = run(pipeline, "retention", "apply")  # nothing answers the question
    assert (status, "Nothing was changed: answer y, or give --yes." in text) == (1, True)
    assert stored(pipeline) == [0, 1, 2, 3, 4]


def test_due_events_under_a_legal_hold_are_kept_and_the_command_says_by_which_hold(pipeline: Pipeline) -> None:
    run(pipeline, "retention", "set", "--keep-days", 300)
    hold = run(pipeline, "hold", "place", "--type", event(0).event_type, "--reason", "a case")[1].strip()
    said = f"kept by the legal hold {hold}: 3 due events\n"
    assert run(pipeline, "retention", "apply", "--dry-run")[1].endswith(said)
    for _ in range(2):
        status, text = run(pipeline, "retention", "apply", "--yes")
        assert (status, text.endswith(said), "deleted" in text) == (0, True, False)
    assert stored(pipeline) == [0, 1, 2, 3, 4]


def test_an_archive_is_verified_and_proofs_handed_out_stay_valid(pipeline: Pipeline, tmp_path: Path) -> None:
    proofs = pipeline.services.proofs
    sealed = proofs.find(event(0).event_id)
    assert sealed
    handed_out = tmp_path / f"{event(0).event_id}.tlog-proof"
    handed_out.write_bytes(proofs.prove(sealed))
    policy = tmp_path / "policy"
    policy.write_bytes(proofs.policy())
    run(pipeline, "retention", "set", "--keep-days", 300)
    status, text = run(pipeline, "retention", "apply", "--yes", "--archive", tmp_path / "archive")
    assert (status, text.splitlines()[-1].startswith("deleted 20")) == (0, True)
    assert stored(pipeline) == [3, 4]
    [file] = (tmp_path / "archive").iterdir()
    assert run(pipeline, "verify", "--policy", policy, file) == (0, f"PROVEN {file}: 3 events\n")
    assert run(pipeline, "verify", "--policy", policy, handed_out)[0] == 0
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    for damage, reason in (
        (lines[0].replace(b'"customer_id":42', b'"customer_id":43'), "Line 1: The event is not the one"),
        (lines[0].replace(b'"recorded_by":"', b'"recorded_by":"not-', 1), "Line 1: The event is not the one"),
        (json.dumps({**json.loads(lines[1]), "proof": json.loads(lines[0])["proof"]}).encode(), "another event"),
        (json.dumps({k: v for k, v in json.loads(lines[1]).items() if k != "proof"}).encode(), "has no proof"),
        (b"{", "cannot be read"),
        (b"", "has no event"),
    ):
        file.write_bytes(gzip.compress(damage))
        status, text = run(pipeline, "verify", "--policy", policy, file)
        assert (status, reason in text) == (3, True), text


def test_an_erased_event_is_proven_in_an_archive_without_its_data(pipeline: Pipeline, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(pipeline.services.proofs.policy())
    assert run(pipeline, "erase", "--event", event(1).event_id, "--reason", "asked to", "--yes")[0] == 0
    run(pipeline, "retention", "set", "--keep-days", 300)
    assert run(pipeline, "retention", "apply", "--yes", "--archive", tmp_path / "archive")[0] == 0
    [file] = (tmp_path / "archive").iterdir()
    said = f"PROVEN {file}: 3 events, of which 1 without their event_data\n"
    assert run(pipeline, "verify", "--policy", policy, file) == (0, said)
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [(line["event_data"] == {}, [*line["proof"]]) for line in lines] == [
        (False, ["file", "data"]), (True, ["file"]), (False, ["file", "data"])
    ]  # fmt: skip
    del lines[0]["proof"]["data"]
    file.write_bytes(gzip.compress(json.dumps(lines[0]).encode()))
    assert "Line 1: The event is not the one" in run(pipeline, "verify", "--policy", policy, file)[1]


def test_events_whose_archive_cannot_be_written_stay(pipeline: Pipeline, tmp_path: Path) -> None:
    run(pipeline, "retention", "set", "--keep-days", 300)
    (tmp_path / "file").touch()
    assert run(pipeline, "retention", "apply", "--yes", "--archive", tmp_path / "file")[0] == 1
    assert stored(pipeline) == [0, 1, 2, 3, 4]
    with pytest.raises(ArchiveUnavailableError, match="not deleted"):
        EventArchive(open_archive(str(tmp_path / "file")), pipeline.services.database.proofs).add([event(0)])


def test_a_line_of_an_archive_is_imported_as_one_of_an_export() -> None:
    line = event(0).model_dump_json()
    [exported], [archived] = (
        [json.loads(each) for batch in batches(BytesIO(text.encode()), "file") for each in batch.events]
        for text in (line, line[:-1] + ',"proof":{"file":"f","data":"d"}}')
    )
    assert archived == exported


def test_the_timer_logs_which_hold_kept_how_many_due_events(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    database = pipeline.services.database
    caplog.set_level("INFO")
    hold = place(database.engine, Hold(event_type=event(0).event_type), by="tests", at=datetime.now(UTC))
    set_rule(database.engine, RetentionRule(None, None, 300), at=datetime.now(UTC))
    timer = RetentionTimer(database, pause=0.05)
    timer.rounds.start()
    records = until(lambda: [each for each in caplog.records if each.message == "retention_held"])
    timer.rounds.close()
    assert [(each.__dict__["hold"], each.__dict__["events"]) for each in records[:1]] == [(hold.hold_id, 3)]


def test_the_timer_applies_the_rules_and_refuses_to_delete_everything(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    database = pipeline.services.database
    caplog.set_level("INFO")
    for days, expected, record in ((300, [3, 4], "retention_applied"), (1, [3, 4], "")):
        set_rule(database.engine, RetentionRule(None, None, days), at=datetime.now(UTC))
        timer = RetentionTimer(database, pause=0.05)
        timer.rounds.start()
        until(lambda: stored(pipeline) == expected and record in caplog.text)  # noqa: B023 - called in the loop
        timer.rounds.close()
