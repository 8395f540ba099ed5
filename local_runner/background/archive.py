"""Archive of events that retention deletes: NDJSON in gzip, each line an event as exported and its proof.

`audit-log verify` verifies such a file, and `audit-log send` imports it. Each batch is on the disk before its events
are deleted; an interrupted run may have archived a batch that the next one archives again, in another file.
"""

import gzip
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from core.domain.models import Event
from core.errors import ArchiveUnavailableError, ProofNotFoundError, ProofPendingError
from core.ports.ledger import LedgerProofs

SUFFIX: Final = ".ndjson.gz"
PROOF: Final = "proof"
"""Member of a line with `file`, the tlog-proof, and `data`, the data document. Events without a commitment lack it."""

_PRIVATE: Final = 0o600


class EventArchive:
    """A new file in a directory, for one run."""

    def __init__(self, directory: Path, proofs: LedgerProofs) -> None:
        """`directory` is created with the first batch."""
        self._path = directory / f"events-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{SUFFIX}"
        self._proofs = proofs

    def add(self, events: Sequence[Event]) -> None:
        """Append events durably.

        Raises:
            ArchiveUnavailableError: the file cannot be written.
            ProofPendingError: an event is not under a signed checkpoint yet.
        """
        block = gzip.compress(b"".join(map(self._line, events)))  # several members are one file (RFC 1952 section 2.2)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE)
            with os.fdopen(descriptor, "ab") as file:
                file.write(block)
                file.flush()
                os.fsync(descriptor)
        except OSError as exc:
            raise ArchiveUnavailableError(
                f"The archive in {self._path.parent} cannot be written ({exc.strerror}): these events are not deleted."
            ) from exc

    def _line(self, event: Event) -> bytes:
        text = event.model_dump_json()
        proof = self._proof(event.event_id)
        return (f'{text[:-1]},"{PROOF}":{json.dumps(proof)}}}\n' if proof else f"{text}\n").encode()

    def _proof(self, event_id: str) -> dict[str, str] | None:
        sealed = self._proofs.find(event_id)
        try:
            if sealed is None:
                return None
            return {"file": self._proofs.prove(sealed).decode(), "data": self._proofs.data(sealed).decode()}
        except ProofPendingError:
            raise
        except ProofNotFoundError:
            return None
