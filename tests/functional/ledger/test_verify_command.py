"""`audit-log verify`, and docs/verify.sh, which does the same with openssl and coreutils."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local_runner.cli.main import app
from tests.support.documents import ROOT
from tests.support.waiting import SECONDS
from tests.unit.ledger.sample_log import ORIGIN, SampleLog

LOG = SampleLog()
SHELLS = [shell for shell in ("bash", "dash") if shutil.which(shell)]


def write(folder: Path, index: int, *, data: bool = True, log: SampleLog = LOG) -> Path:
    """The files of an event; the path of its proof."""
    event_id = log.events[index].event_id
    proof = folder / f"{event_id}.tlog-proof"
    proof.write_bytes(log.proof(index))
    if data:
        (folder / f"{event_id}.data").write_bytes(log.data(index))
    return proof


def verify(*arguments: object) -> tuple[int, str]:
    """Status and output of the command, with an environment that no service could start with."""
    ended = CliRunner().invoke(app, ["verify", *map(str, arguments)], env={"AUDIT_LOG_DATABASE_URL": "nonsense"})
    return ended.exit_code, " ".join((ended.stdout + ended.stderr).split())


def test_an_event_is_proven_with_its_content(tmp_path: Path) -> None:
    status, text = verify(write(tmp_path, 5), "--key", LOG.vkey)
    assert status == 0
    assert text.startswith(f"PROVEN {tmp_path}")
    assert f"entry 5 of 11 in {ORIGIN}" in text
    assert r'event_data {"number":5,"é":"\\u2028"}' in text
    assert "event_type user.login" in text
    assert "by no witness" in text


def test_an_event_is_proven_without_its_content(tmp_path: Path) -> None:
    status, text = verify(write(tmp_path, 5, data=False), "--key", LOG.vkey)
    assert status == 0
    assert "event_data not in the files" in text


def test_the_facts_are_json_lines_on_request(tmp_path: Path) -> None:
    files = [write(tmp_path, 5), write(tmp_path, 6, log=SampleLog(seed=2))]
    ended = CliRunner().invoke(app, ["verify", *map(str, files), "--json", "--key", LOG.vkey])
    good, bad = map(json.loads, ended.stdout.splitlines())
    assert ended.exit_code == 3
    assert good == {
        "file": str(files[0]), "proven": True, "origin": ORIGIN, "index": 5, "size": 11,
        "event": {
            "customer_id": 42, "event_id": LOG.events[5].event_id, "event_type": "user.login",
            "received_at": "2026-01-31T12:00:00.123Z", "recorded_by": "tests", "timestamp_utc": 1700000005,
            "event_data": {"number": 5, "é": "\u2028"},
        },
        "data_sha256": good["data_sha256"], "cosignatures": [],
    }  # fmt: skip
    assert (bad["proven"], bad["file"]) == (False, str(files[1]))
    assert "not signed by a trusted key" in bad["reason"]


def test_a_policy_file_is_trusted_as_a_key_is(tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {LOG.vkey}\nquorum none\n")
    assert verify(write(tmp_path, 0), "--policy", policy)[0] == 0


def test_a_proof_under_the_name_of_another_event_is_not_proven(tmp_path: Path) -> None:
    proof = write(tmp_path, 5, data=False)
    renamed = proof.rename(tmp_path / f"{LOG.events[6].event_id}.tlog-proof")
    status, text = verify(renamed, "--key", LOG.vkey)
    assert status == 3
    assert "NOT PROVEN" in text
    assert "another event" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["{proof}"],
        ["{proof}", "--key", LOG.vkey, "--policy", "{proof}"],
        ["{proof}", "--key", "nonsense"],
        ["{proof}", "--policy", "{proof}"],
        ["{proof}", "--policy", "/missing"],
        ["/missing", "--key", LOG.vkey],
        ["--key", LOG.vkey],
    ],
)
def test_a_wrong_call_ends_with_status_2(tmp_path: Path, arguments: list[str]) -> None:
    proof = write(tmp_path, 0)
    assert verify(*(argument.format(proof=proof) for argument in arguments))[0] == 2


def by_shell(shell: str, *arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    script = ROOT / "docs" / "verify.sh"
    return subprocess.run(
        [shell, script, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=SECONDS, cwd=cwd
    )


@pytest.mark.parametrize("arguments", [(), ("key",), ("key", "proof", "data", "more")], ids=len)
def test_the_shell_script_says_how_it_is_called(arguments: tuple[str, ...]) -> None:
    ended = by_shell("sh", *arguments)
    assert (ended.returncode, ended.stderr) == (2, "usage: sh verify.sh KEY ID.tlog-proof [ID.data]\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_script_proves_the_same_events(tmp_path: Path, shell: str) -> None:
    for index in (0, 5, 10):
        proof = write(tmp_path, index)
        ended = by_shell(shell, LOG.vkey, proof, proof.with_suffix(".data"))
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.startswith(f"PROVEN: entry {index} of 11 in {ORIGIN}\n")
        assert f'{{"number":{index},' in ended.stdout
        assert by_shell(shell, LOG.vkey, proof).returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("tlog-proof@v1", "tlog-proof@v2", "not a proof"),
        ("extra ", "extra A", "head of an event"),
        ("index 5", "index 6", "not in the tree"),
        ("index 5", "index 05", "index is malformed"),
        ("index 5", "index 5+x[$(touch marker)]", "index is malformed"),
        ("index 5", "index 11", "beyond the size"),
        ("\n11\n", "\n12\n", "signature of audit.example.org/ledger is wrong"),
        ("— audit", "— Audit", "not signed by"),
        ("=\n\n", "=\n\n\n", "no checkpoint"),
    ],
)
def test_the_shell_script_refuses_what_was_changed(tmp_path: Path, shell: str, old: str, new: str, reason: str) -> None:
    proof = write(tmp_path, 5)
    text = proof.read_text()
    assert old in text
    proof.write_text(text.replace(old, new, 1))
    ended = by_shell(shell, LOG.vkey, proof, proof.with_suffix(".data"), cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert reason in ended.stderr
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_script_refuses_data_and_keys_of_others(tmp_path: Path, shell: str) -> None:
    proof, other = write(tmp_path, 5), write(tmp_path, 6)
    assert "is not the data" in by_shell(shell, LOG.vkey, proof, other.with_suffix(".data")).stderr
    assert "not signed by" in by_shell(shell, SampleLog(seed=2).vkey, proof).stderr
