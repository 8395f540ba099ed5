"""The decision of a witness: which checkpoint it cosigns, and what it remembers.

It remembers one checkpoint for each log, in a directory. A checkpoint is written there durably before it is cosigned,
and only if the one there is the beginning of it: neither a kill nor two requests at once make the witness go back.
"""

import logging
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from audit_log_client.ledger.errors import NotProvenError
from audit_log_client.ledger.merkle import check_consistency
from audit_log_client.ledger.notes import VerifierKey, open_note
from core.errors import GuardUnavailableError
from core.ledger.cosigning import Cosigner
from core.stores.ledger.file_guard import FileGuard
from local_runner.background.witness.requests import (
    Checkpoint,
    MalformedSubmissionError,
    Submission,
    parse_checkpoint,
    parse_submission,
)

TEXT: Final = "text/plain; charset=utf-8"
SIZE: Final = "text/x.tlog.size"

_EMPTY_ROOT: Final = sha256(b"").digest()

_log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """Status, body and media type of the response to a submission."""

    status: int
    body: str
    media_type: str = TEXT


class Witness:
    """Cosigns checkpoints of the logs with these keys. Safe to call from several threads and processes."""

    def __init__(
        self, cosigner: Cosigner, logs: Sequence[VerifierKey], state: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """`state` is the directory of the checkpoints that were cosigned last. Without it they are forgotten."""
        self._cosigner = cosigner
        self._logs = logs
        self._state = state
        self._clock = clock
        self._lock = Lock()

    def add_checkpoint(self, body: bytes) -> Verdict:
        """Answer `add-checkpoint` (C2SP tlog-witness).

        Raises:
            GuardUnavailableError: the state cannot be read or written; nothing was cosigned.
        """
        try:
            submission = parse_submission(body)
        except MalformedSubmissionError as exc:
            return Verdict(400, f"{exc}\n")
        origin = submission.checkpoint.origin
        keys = [key for key in self._logs if key.name == origin]
        if not keys:
            return Verdict(404, "This witness does not know the log.\n")
        try:
            is_signed = bool(open_note(submission.note, keys).logs)
        except NotProvenError:
            is_signed = False
        if not is_signed:
            return Verdict(403, "No signature of the checkpoint is that of a known key of the log.\n")
        with self._lock:
            return self._judge(submission, FileGuard(self._directory(origin), keeps_history=False))

    def latest(self, origin: str) -> bytes | None:
        """Return the checkpoint of a log that was cosigned last; None if there is none."""
        return FileGuard(self._directory(origin), keeps_history=False).latest()

    def _judge(self, submission: Submission, guard: FileGuard) -> Verdict:
        last = guard.latest()
        known = Checkpoint(submission.checkpoint.origin, 0, _EMPTY_ROOT) if last is None else _remembered(last)
        new = submission.checkpoint
        if submission.old != known.size:
            return Verdict(409, f"{known.size}\n", SIZE)
        if new.size == known.size and new.root != known.root:
            self._report(409, new)
            return Verdict(409, f"{known.size}\n", SIZE)
        if not _continues(known, new, submission.path):
            self._report(422, new)
            return Verdict(422, "The proof does not show that the last checkpoint is the beginning of this one.\n")
        at = int(self._clock())
        if new != known or last is None:
            guard.advance(last, submission.note)
        return Verdict(200, self._cosigner.cosign(submission.text, at).line)

    def _directory(self, origin: str) -> Path:
        return self._state / sha256(origin.encode()).hexdigest()

    def _report(self, status: int, checkpoint: Checkpoint) -> None:
        action = "Ask the operator of the log: it signed two histories, or its database was restored or changed."
        extra = {"origin": checkpoint.origin, "size": checkpoint.size, "status": status, "action": action}
        _log.error("witness_refused_checkpoint", extra=extra)


def _remembered(note: bytes) -> Checkpoint:
    try:
        return parse_checkpoint(open_note(note, ()).text)
    except (NotProvenError, ValueError):
        raise GuardUnavailableError(
            "The last checkpoint of this log in the state of the witness is damaged: restore the newest copy of the "
            "file, never an older one. Nothing is cosigned meanwhile."
        ) from None


def _continues(known: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> bool:
    if known.size == 0:
        return not path and (new.size > 0 or new.root == _EMPTY_ROOT)
    try:
        check_consistency(known.size, known.root, new.size, new.root, path)
    except NotProvenError:
        return False
    return True
