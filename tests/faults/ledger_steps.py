"""Faults of the ledger: a process that is killed at each step from storing events to publishing their checkpoint."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event as listeners

from audit_log_client.ledger import NotProvenError, policy_of_key, verify_consistency, verify_event
from core.domain.models import Event
from core.ledger.keys import LedgerKeys
from core.stores.database import Database
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.signing import CheckpointSigner
from core.stores.migrations.upgrade import migrate
from tests.faults.load import AcceptanceRecorder, Verdict, new_event
from tests.support import databases
from tests.support.ledger import faults, indices

KEYS: Final = LedgerKeys("faults.example.org/ledger", [Ed25519PrivateKey.from_private_bytes(bytes(range(32)))])
POLICY: Final = policy_of_key(KEYS.verifier_keys[0])
PLACES: Final = ("storing", "stored", "integrating", "integrated", "guarded", "signed")
"""Before the commit of the store and after it, the same for the integrator, the note only in the guard, the end."""

_EVENTS: Final = 40
_CHECKPOINT_LINES: Final = 5


class Process:
    """The steps of a worker, in order, over one database and one guard. `reach` is called at each place."""

    def __init__(self, url: str, directory: Path, reach: Callable[[str], object] = lambda _place: None) -> None:
        self.database = Database(url)
        guard = _Guard(directory / "ledger", partial(reach, "guarded"))
        self._signer = CheckpointSigner(self.database.engine, KEYS, guard)
        self._reach = reach
        self._committing = "connecting"
        listeners.listen(self.database.engine, "commit", lambda _connection: reach(self._committing))

    def handle(self, events: Sequence[Event]) -> None:
        """Store events, integrate and sign."""
        self._committing = "storing"
        self.database.events.add(events)
        self._reach("stored")
        self._committing = "integrating"
        self.database.ledger.integrate()
        self._committing = "signing"
        self._reach("integrated")
        self._signer.sign()
        self._reach("signed")


class _Guard(FileGuard):
    def __init__(self, directory: Path, reach: Callable[[], object]) -> None:
        super().__init__(directory)
        self._reach = reach

    def advance(self, expected: bytes | None, note: bytes) -> None:
        super().advance(expected, note)
        self._reach()


def killed_at_each_place(rounds: int, server: str | None = None) -> Verdict:
    """Kill a process at each place in turn, and redeliver the messages of its events to another one."""
    recorder = AcceptanceRecorder()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="audit-log-ledger-")))
        url = stack.enter_context(databases.throwaway(server)) if server else f"sqlite:///{directory / 'events.db'}"
        process = Process(url, directory)
        stack.callback(process.database.close)
        migrate(process.database.engine)
        unexpected = 0
        for number in range(rounds):
            events = [new_event(recorder) for _ in range(_EVENTS)]
            (directory / "messages").write_bytes(b"\n".join(event.to_json() for event in events))
            command = [sys.executable, "-m", __name__, url, str(directory), PLACES[number % len(PLACES)]]
            unexpected += subprocess.run(command, check=False).returncode != -signal.SIGKILL
            process.handle(events)
            recorder.acknowledged |= dict.fromkeys((event.event_id for event in events), time.monotonic())
        return judge_proofs(process.database, directory, recorder, unexpected)


def judge_proofs(database: Database, directory: Path, recorder: AcceptanceRecorder, unexpected: int) -> Verdict:
    """Every acknowledged event is in the ledger once and proven, and every checkpoint ever signed is a beginning."""
    stored = indices(database.engine)
    newest = database.proofs.checkpoint()
    unexpected += len(faults(database.engine)) + (newest.size != len(stored))
    lost = recorder.acknowledged.keys() - stored.keys()
    for event_id in recorder.acknowledged:
        sealed = database.proofs.find(event_id)
        try:
            proven = sealed and verify_event(database.proofs.prove(sealed), POLICY, event_id=event_id)
        except NotProvenError:
            proven = None
        if proven is None or proven.index != stored.get(event_id):
            lost.add(event_id)
    for note in _signed(directory):
        try:
            verify_consistency(note, database.proofs.consistency(int(note.split(b"\n")[1])), POLICY)
        except NotProvenError:
            unexpected += 1
    duplicated = len(stored) - len(set(stored.values()))
    acknowledged = len(recorder.acknowledged)
    return Verdict(len(recorder.sent), acknowledged, len(stored), len(lost), duplicated, unexpected)


def _signed(directory: Path) -> list[bytes]:
    """All checkpoints that the guard has seen."""
    lines = (directory / "ledger" / "checkpoints").read_bytes().splitlines(keepends=True)
    return [b"".join(lines[start : start + _CHECKPOINT_LINES]) for start in range(0, len(lines), _CHECKPOINT_LINES)]


def _die_at(place: str) -> None:
    """Handle the messages in the directory, and die at a place."""
    url, directory = sys.argv[1], Path(sys.argv[2])

    def reach(reached: str) -> None:
        if reached == place:
            os.kill(os.getpid(), signal.SIGKILL)

    messages = (directory / "messages").read_bytes().split(b"\n")
    Process(url, directory, reach).handle([Event.model_validate_json(message) for message in messages])


if __name__ == "__main__":
    _die_at(sys.argv[3])
