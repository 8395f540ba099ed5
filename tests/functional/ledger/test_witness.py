"""The witness: the table of answers of C2SP tlog-witness, and a memory that never goes back."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from audit_log_client.ledger import parse_policy, verify_event
from audit_log_client.ledger.notes import open_note, parse_key
from core.errors import GuardUnavailableError
from core.ledger.cosigning import Cosigner
from core.ledger.notes import Note
from core.stores.ledger.file_guard import FileGuard
from local_runner.background.witness.cosigning import SIZE, Verdict, Witness
from tests.unit.ledger.sample_log import SampleLog, cosigned, private_key

COSIGNER = Cosigner("witness.example", private_key(9))
LOG = SampleLog()
FORK = SampleLog(salt=8)


def first(log: SampleLog, size: int) -> bytes:
    return b"old 0\n\n" + log.checkpoint(size).to_bytes()


def witness_in(state: Path, clock: Callable[[], float] = lambda: 1_769_860_800.9) -> Witness:
    return Witness(COSIGNER, [parse_key(LOG.vkey)], state, clock)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """Has cosigned the checkpoint of five entries."""
    made = witness_in(tmp_path / "state")
    assert made.add_checkpoint(first(LOG, 5)).status == 200
    return made


def test_a_checkpoint_that_continues_the_last_one_is_cosigned(witness: Witness) -> None:
    verdict = witness.add_checkpoint(LOG.consistency(5))
    key = parse_key(COSIGNER.verifier_key)
    opened = open_note(LOG.checkpoint().to_bytes() + verdict.body.encode(), [key])
    assert (verdict.status, opened.cosignatures) == (200, ((key, 1_769_860_800),))
    assert cosigned(LOG.checkpoint(), "witness.example", private_key(9)).signatures[-1].line == verdict.body


def test_a_proof_with_the_cosignature_meets_a_policy_that_asks_for_it(witness: Witness) -> None:
    line = witness.add_checkpoint(LOG.consistency(5)).body.encode()
    policy = parse_policy(f"log {LOG.vkey}\nwitness w {COSIGNER.verifier_key}\nquorum w\n".encode())
    proven = verify_event(LOG.proof(3) + line, policy)
    assert [each.key.name for each in proven.checkpoint.cosignatures] == ["witness.example"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 05\n\n" + LOG.checkpoint().to_bytes(), 400),
        (b"old 12\n\n" + LOG.checkpoint().to_bytes(), 400),  # beyond the checkpoint
        (b"old 5\nAAAA\n\n" + LOG.checkpoint().to_bytes(), 400),
        (b"old 5\n" + b"A" * 44 * 70 + b"\n\n" + LOG.checkpoint().to_bytes(), 400),
        (LOG.consistency(5).replace(b"\n11\n", b"\n11\n", 1)[:-2], 400),
        (b"old 5\n\n" + LOG.keys.sign(LOG.checkpoint().text + "extension\n").to_bytes(), 400),
        (first(SampleLog(origin="other.example"), 5), 404),
        (first(SampleLog(seed=2), 5), 403),
        (LOG.consistency(5).replace(b"\n11\n", b"\n12\n", 1), 403),
        (LOG.consistency(4), 409),
        (first(LOG, 11), 409),
        (b"old 5\n\n" + FORK.checkpoint(5).to_bytes(), 409),
        (FORK.consistency(5), 422),
        (b"old 5\n\n" + LOG.checkpoint().to_bytes(), 422),
        (LOG.consistency(5, 5).replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n\n", 1), 422),
    ],
)
def test_anything_else_is_refused_as_the_specification_says(witness: Witness, body: bytes, status: int) -> None:
    verdict = witness.add_checkpoint(body)
    assert verdict.status == status
    if status == 409:
        assert verdict == Verdict(409, "5\n", SIZE)
    assert witness.latest(LOG.keys.origin) == LOG.checkpoint(5).to_bytes()


def test_the_same_checkpoint_is_cosigned_again_with_a_new_time(tmp_path: Path) -> None:
    times = iter([100.0, 200.0])
    witness = witness_in(tmp_path, lambda: next(times))
    bodies = [witness.add_checkpoint(body).body for body in (first(LOG, 5), LOG.consistency(5, 5))]
    assert len({*bodies}) == 2


@pytest.mark.usefixtures("witness")
def test_a_restarted_witness_remembers_and_a_damaged_memory_cosigns_nothing(tmp_path: Path) -> None:
    again = witness_in(tmp_path / "state")
    assert again.add_checkpoint(FORK.consistency(5)).status == 422
    file = tmp_path / "state" / sha256(LOG.keys.origin.encode()).hexdigest() / "last"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(GuardUnavailableError, match="damaged"):
        again.add_checkpoint(LOG.consistency(5))


def test_a_cosignature_leaves_only_after_its_checkpoint_is_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file in the place of the directory")
    with pytest.raises(GuardUnavailableError):
        witness_in(state).add_checkpoint(first(LOG, 5))


KILLED = """
import sys
from pathlib import Path
from tests.functional.ledger.test_witness import LOG, first, witness_in
witness = witness_in(Path(sys.argv[1]))
old = int(sys.argv[2])
for size in range(old + 1, 12):
    body = LOG.consistency(old, size) if old else first(LOG, size)
    assert witness.add_checkpoint(body).status == 200
    print(size, flush=True)
    old = size
"""


def test_a_killed_witness_has_kept_every_checkpoint_that_it_cosigned(tmp_path: Path) -> None:
    known = 0
    while known < 11:
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "state"), str(known)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            printed = [int(child.stdout.readline()) for _ in range(min(2, 11 - known))]
            os.kill(child.pid, signal.SIGKILL)
            printed += map(int, child.stdout.read().split())
        note = witness_in(tmp_path / "state").latest(LOG.keys.origin) or b""
        known = int(note.split(b"\n")[1])
        assert known >= printed[-1]
    assert note == LOG.checkpoint(11).to_bytes()


def test_two_processes_cannot_move_one_memory_to_two_histories(tmp_path: Path) -> None:
    guard = FileGuard(tmp_path, keeps_history=False)
    guard.advance(None, Note("a\n", LOG.checkpoint().signatures).to_bytes())
    with pytest.raises(GuardUnavailableError, match="meanwhile"):
        guard.advance(None, Note("b\n", LOG.checkpoint().signatures).to_bytes())
    assert not (tmp_path / "checkpoints").exists()
