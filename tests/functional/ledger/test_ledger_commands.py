"""`audit-log proof get` and `audit-log ledger ...`, with a running service and with its data."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import AuditLogError
from local_runner.cli.main import app
from tests.support.builders import new_event
from tests.support.service import Service, environment
from tests.support.waiting import until
from tests.unit.ledger.sample_log import SampleLog


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service.start(tmp_path_factory.mktemp("proofs") / "data", ledger_seconds="1") as running:
        yield running


def run(service: Service, *arguments: object) -> tuple[int, str]:
    """Status and output of a command."""
    settings = {**environment(service.data_dir), "AUDIT_CLIENT_URL": service.url}
    ended = CliRunner().invoke(app, [str(argument) for argument in arguments], env=settings)
    error = str(ended.exception) if isinstance(ended.exception, AuditLogError) else ""  # `main` prints it
    return ended.exit_code, ended.stdout + ended.stderr + error


def post(service: Service) -> str:
    """Post an event and wait until it is stored; its id."""
    with service.client() as client:
        event_id: str = client.post("/event", json=new_event()).raise_for_status().json()["event_id"]
        until(lambda: client.get(f"/event/{event_id}").status_code == 200)
    return event_id


def proven(service: Service, event_id: str, *options: object) -> str:
    """Output of `proof get`. On a busy machine storing and signing can take longer than the command waits."""

    def got() -> str:
        status, text = run(service, "proof", "get", event_id, *options)
        return text if status == 0 else ""

    return str(until(got, "a proof", shown=lambda: run(service, "proof", "get", event_id, *options)))


def test_a_new_event_is_proven_by_two_commands_and_the_key(service: Service, tmp_path: Path) -> None:
    event_id = post(service)
    text = proven(service, event_id, "--output", tmp_path)
    assert text.startswith(f"{tmp_path / event_id}.tlog-proof\n{tmp_path / event_id}.data\n")
    status, key = run(service, "ledger", "key")
    assert status == 0
    status, text = run(service, "verify", tmp_path / f"{event_id}.tlog-proof", "--key", key.strip())
    assert status == 0
    assert '"username":"admin"' in text


def test_the_content_can_be_left_out(service: Service, tmp_path: Path) -> None:
    event_id = post(service)
    proven(service, event_id, "--output", tmp_path / "new", "--without-data")
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{event_id}.tlog-proof"]


def test_an_event_that_does_not_exist_has_no_files(service: Service, tmp_path: Path) -> None:
    status, text = run(service, "proof", "get", "0" * 36, "--output", tmp_path)
    assert status == 1
    assert "No event has this id" in text
    assert list(tmp_path.iterdir()) == []


def test_a_former_checkpoint_is_compared_with_the_newest(service: Service, tmp_path: Path) -> None:
    old, proof, policy = tmp_path / "old", tmp_path / "proof", tmp_path / "policy"
    proven(service, post(service), "--output", tmp_path)
    with service.client() as client:
        old.write_bytes(client.get("/ledger/checkpoint").content)
        proven(service, post(service), "--output", tmp_path)
        size = old.read_text().split("\n")[1]
        proof.write_bytes(client.get("/ledger/consistency", params={"old": size}).content)
    policy.write_text(run(service, "ledger", "policy")[1])
    for source in ([proof], ["--url", service.url]):
        status, text = run(service, "ledger", "consistency", old, *source, "--policy", policy)
        assert (status, text.split(":")[0]) == (0, "CONSISTENT")
    forked = SampleLog()
    proof.write_bytes(forked.consistency(5))
    assert run(service, "ledger", "consistency", old, proof, "--policy", policy)[0] == 3
    assert run(service, "ledger", "consistency", old, "--policy", policy)[0] == 2
    assert run(service, "ledger", "consistency", old, proof, "--url", service.url, "--policy", policy)[0] == 2
    assert run(service, "ledger", "consistency", old, proof)[0] == 2


def test_the_state_of_the_ledger_is_shown(service: Service, tmp_path: Path) -> None:
    proven(service, post(service), "--output", tmp_path)
    status, text = run(service, "ledger", "status", "--json")
    facts = json.loads(text)
    assert status == 0
    assert facts["signed"] >= 1
    assert facts["size"] >= facts["signed"]
    assert facts["origin"].startswith("localhost/audit-log/")
    status, text = run(service, "ledger", "status")
    assert status == 0
    assert facts["origin"] in text


def test_a_ledger_that_was_never_signed_has_no_key(tmp_path: Path) -> None:
    with Service.start(tmp_path / "data", ledger="off") as off:
        for command in (["key"], ["policy"]):
            status, text = run(off, "ledger", *command)
            assert (status, "ledger" in text) == (1, True)
        assert json.loads(run(off, "ledger", "status", "--json")[1])["signed"] == 0


def test_a_ledger_is_checked_while_the_service_runs_and_a_change_ends_with_3(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Service.start(tmp_path_factory.mktemp("checked") / "data", ledger_seconds="1") as service:
        event_id = post(service)
        proven(service, event_id, "--output", service.data_dir)
        status, text = run(service, "ledger", "check", "--processes", 1)
        assert (status, text.splitlines()[-1]) == (0, "WHOLE: every event is the one that was logged")
        with sqlite3.connect(service.data_dir / "audit-log.db") as connection:
            connection.execute("UPDATE events SET event_data = '{}' WHERE event_id = ?", (event_id,))
        status, text = run(service, "ledger", "check", "--processes", 0)
        assert status == 3
        assert f"CHANGED {event_id} entry 0: it differs from its commitment\nNOT WHOLE: 1 changed" in text
        status, text = run(service, "ledger", "check", "--processes", 0, "--json")
        facts = json.loads(text)
        assert (status, facts["whole"], facts["counts"]) == (3, False, {"changed": 1})
        assert facts["findings"][0]["event_id"] == event_id


def test_a_ledger_that_is_not_there_cannot_be_checked(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["ledger", "check"], env=environment(tmp_path))
    assert isinstance(ended.exception, AuditLogError)  # `main` ends with 1
