"""Archive of events that retention deletes: NDJSON in gzip, each line an event as exported and its proof.

`audit-log verify` verifies such a file, and `audit-log send` imports it. Each batch is on the disk or in S3 before its
events are deleted; an interrupted run may have archived a batch that the next one archives again, in another file.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from core.aws.clients import aws_client
from core.aws.event_archive import SCHEME, S3Archive
from core.domain.models import Event
from core.errors import ArchiveUnavailableError, InvalidSettingsError
from core.ports.durable_files import PRIVATE, append
from core.ports.ledger import LedgerProofs

SUFFIX: Final = ".ndjson.gz"
PROOF: Final = "proof"
"""Member of a line with `file`, the tlog-proof, and `data`, the data document unless the data was erased.

Events without a commitment lack it."""


class EventArchive:
    """Encodes batches of events with their proofs, and gives each as one block to `append`, which keeps it durably."""

    def __init__(self, append: Callable[[bytes], None], proofs: LedgerProofs) -> None:
        self._append = append
        self._proofs = proofs

    def add(self, events: Sequence[Event]) -> None:
        """Append events durably.

        Raises:
            ArchiveUnavailableError: the archive cannot be written.
            ProofPendingError: an event is not under a signed checkpoint yet.
        """
        proofs = self._proofs_of(events)
        lines = [_line(event, proofs.get(event.event_id)) for event in events]
        self._append(gzip.compress(b"".join(lines)))  # several members are one file (RFC 1952 section 2.2)

    def _proofs_of(self, events: Sequence[Event]) -> dict[str, dict[str, str]]:
        """Return the proofs of the events that have one, by their ids."""
        sealed = self._proofs.find_all([event.event_id for event in events])
        proofs = {}
        for each, file in zip(sealed, self._proofs.prove_all(sealed), strict=True):
            if file is not None:
                data = {} if each.erasure else {"data": self._proofs.data(each).decode()}
                proofs[each.event.event_id] = {"file": file.decode(), **data}
        return proofs


def _line(event: Event, proof: dict[str, str] | None) -> bytes:
    text = event.model_dump_json()
    return (f'{text[:-1]},"{PROOF}":{json.dumps(proof)}}}\n' if proof else f"{text}\n").encode()


class ArchiveFile:
    """A new file in a directory, for one run."""

    def __init__(self, directory: Path) -> None:
        """`directory` is created with the first block."""
        self._path = directory / f"events-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{SUFFIX}"

    def append(self, block: bytes) -> None:
        """Append a block durably.

        Raises:
            ArchiveUnavailableError: the file cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            append(self._path, block, PRIVATE)
        except OSError as exc:
            raise ArchiveUnavailableError(
                f"The archive in {self._path.parent} cannot be written ({exc.strerror}): these events are not deleted."
            ) from exc


def open_archive(target: str) -> Callable[[bytes], None]:
    """Return what appends blocks to an archive in a directory, or at s3://BUCKET/PREFIX.

    Raises:
        InvalidSettingsError: boto3 is not installed.
        ArchiveUnavailableError: S3 cannot be used with these credentials.
    """
    if not target.startswith(SCHEME):
        return ArchiveFile(Path(target)).append
    try:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - at first use
    except ImportError:
        raise InvalidSettingsError("An archive in S3 needs boto3: pip install 'audit-log-service[aws]'") from None
    try:
        return S3Archive(target, SUFFIX, aws_client("s3")).append
    except BotoCoreError as exc:
        raise ArchiveUnavailableError(f"S3 cannot be used ({type(exc).__name__}): set credentials and region.") from exc
