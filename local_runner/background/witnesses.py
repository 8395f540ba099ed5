"""The ledger's witnesses: asked to cosign the newest checkpoint, as C2SP tlog-witness describes."""

import logging
from pathlib import Path
from typing import Final

from audit_log_client.ledger import NotProvenError, Policy, PolicyError, parse_policy
from audit_log_client.ledger.notes import Cosignature, VerifierKey, open_note
from core.errors import AnchorUnavailableError, InvalidSettingsError, ProofPendingError
from core.ports.ledger import SignedCheckpoint
from core.ports.telemetry import CounterName, Meter
from core.stores.database import Database
from core.stores.ledger.cosignatures import store_cosignatures
from local_runner.background.http_post import post

_OK: Final = 200
_CONFLICT: Final = 409
_SERVER_ERROR: Final = 500
_MAX_DIGITS: Final = 19

_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """A witness answered that it does not cosign the checkpoint."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def read_witnesses(file: Path) -> Policy:
    """Read the policy that names the witnesses, their URLs and the quorum.

    Raises:
        InvalidSettingsError: the file cannot be read, is not a policy, or names no witness with a URL.
    """
    try:
        policy = parse_policy(file.read_bytes(), needs_log=False)
    except OSError as exc:
        raise InvalidSettingsError(f"AUDIT_LOG_LEDGER_WITNESSES cannot be read ({exc.strerror}).") from None
    except PolicyError as exc:
        raise InvalidSettingsError(f"AUDIT_LOG_LEDGER_WITNESSES: {exc}") from None
    if not policy.urls or not all(url.startswith(("http://", "https://")) for url in policy.urls.values()):
        raise InvalidSettingsError(
            "AUDIT_LOG_LEDGER_WITNESSES needs lines `witness NAME KEY URL`, with http:// or https:// URLs."
        )
    return policy


class Witnesses:
    """Asks all witnesses for cosignatures, and stores these if they are those of a quorum."""

    def __init__(self, policy: Policy, database: Database, meter: Meter) -> None:
        self._policy = policy
        self._database = database
        self._meter = meter
        self._sizes: dict[VerifierKey, int] = {}
        self._failing: dict[VerifierKey, str] = {}
        self._cosigned = 0

    def ask(self) -> None:
        """Send the newest checkpoint to each witness, unless it is cosigned already.

        Raises:
            StoreUnavailableError: the database is unreachable; trying again later helps.
        """
        try:
            checkpoint = self._database.proofs.checkpoint()
        except ProofPendingError:
            return
        if checkpoint.size == self._cosigned:
            return
        lines: dict[VerifierKey, str] = {}
        for witness, url in self._policy.urls.items():
            try:
                lines[witness] = self._cosign(witness, url, checkpoint)
            except (AnchorUnavailableError, _RefusedError) as exc:
                self._report(witness, exc)
            else:
                self._meter.count(CounterName.WITNESS_COSIGNED, 1)
                self._failing.pop(witness, None)
        if lines and self._policy.quorum.is_met({*lines}):
            store_cosignatures(self._database.engine, checkpoint.size, "".join(lines.values()))
            self._cosigned = checkpoint.size

    def check(self) -> dict[str, object]:
        """Implement `Check`: the size of the checkpoint that was cosigned last. No witness makes it fail."""
        return {"cosigned": self._cosigned}

    def _cosign(self, witness: VerifierKey, url: str, checkpoint: SignedCheckpoint) -> str:
        """Return the witness's signature line under the checkpoint.

        A witness that remembers another size than the last one known here answers with it, and is asked once more.
        """
        for _ in range(2):
            old = self._sizes.get(witness, 0)
            body = self._database.proofs.consistency(min(old, checkpoint.size), checkpoint.size)
            answer = post(f"{url.rstrip('/')}/add-checkpoint", body, "application/octet-stream")
            if answer.status == _OK:
                line = _signature_line(witness, checkpoint.note, answer.body)
                self._sizes[witness] = checkpoint.size
                return line
            size = answer.body.strip()
            if answer.status != _CONFLICT or not size.isdigit() or len(size) > _MAX_DIGITS:
                break
            if int(size) > checkpoint.size or int(size) == old:
                break
            self._sizes[witness] = int(size)
        if answer.status >= _SERVER_ERROR or answer.status == 429:  # noqa: PLR2004 - too many requests
            raise AnchorUnavailableError(f"The witness answered with status {answer.status}.")
        raise _RefusedError(answer.status)

    def _report(self, witness: VerifierKey, error: AnchorUnavailableError | _RefusedError) -> None:
        """Count a failure, and log it once until it changes."""
        refused = isinstance(error, _RefusedError)
        self._meter.count(CounterName.WITNESS_REFUSED if refused else CounterName.WITNESS_UNAVAILABLE, 1)
        if self._failing.get(witness) == str(error):
            return
        self._failing[witness] = str(error)
        if isinstance(error, _RefusedError):
            action = (
                "409 and 422: it has seen a ledger that this one does not continue; compare its checkpoint with yours. "
                "400, 403, 404: the witness does not know the ledger or its key; ask its operator."
            )
            extra = {"witness": witness.name, "status": error.status, "action": action}
            _log.error("witness_refused", extra=extra)
        else:
            action = "Proofs under newer checkpoints lack its cosignature until it answers; nothing waits for it."
            _log.warning("witness_unavailable", extra={"witness": witness.name, "reason": str(error), "action": action})


def _signature_line(witness: VerifierKey, note: bytes, answer: bytes) -> str:
    """Return the line of the answer that is the witness's signature, which is verified; other lines are ignored."""
    for line in answer.splitlines(keepends=True):
        try:
            cosignatures: tuple[Cosignature, ...] = open_note(note + line, [witness]).cosignatures
        except NotProvenError:
            continue
        if cosignatures:
            return line.decode()
    raise AnchorUnavailableError("The answer has no valid cosignature of the witness.")
