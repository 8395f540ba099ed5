"""Anchors: copies of the newest checkpoint in places that no access to the database reaches."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from core.errors import AnchorUnavailableError, InvalidSettingsError, ProofPendingError
from core.ports.durable_files import PRIVATE, append
from core.ports.ledger import SignedCheckpoint
from core.ports.telemetry import CounterName, Meter
from core.stores.database import Database
from local_runner.background.time_stamps import TimeStampAnchor

_log = logging.getLogger(__name__)


class Anchor(Protocol):
    """A place that keeps checkpoints."""

    def keep(self, checkpoint: SignedCheckpoint) -> None:
        """Give it a checkpoint.

        Raises:
            AnchorUnavailableError: it did not take the checkpoint.
        """


class LogAnchor:
    """The log, for those who ship log records to another host."""

    def keep(self, checkpoint: SignedCheckpoint) -> None:
        """See `Anchor.keep`."""
        _log.info("ledger_checkpoint", extra={"size": checkpoint.size, "note": checkpoint.note.decode()})


class FileAnchor:
    """A file that lines of JSON are appended to, such as on a share without the right to overwrite."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def keep(self, checkpoint: SignedCheckpoint) -> None:
        """See `Anchor.keep`."""
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")
        line = json.dumps({"at": at, "size": checkpoint.size, "note": checkpoint.note.decode()})
        try:
            # A line begins with its newline: what a crash left of the line before does not damage this one.
            append(self._path, f"\n{line}".encode(), PRIVATE)
        except OSError as exc:
            raise AnchorUnavailableError(f"The file cannot be written ({exc.strerror}).") from exc


def open_anchors(names: Sequence[str], directory: Path) -> dict[str, Anchor]:
    """Return the anchors that `AUDIT_LOG_LEDGER_ANCHORS` names; time stamps go to `directory`.

    Raises:
        InvalidSettingsError: a time stamp authority is named, and the library for its protocol is not installed.
    """
    anchors: dict[str, Anchor] = {}
    for name in names:
        if name == "log":
            anchors[name] = LogAnchor()
        elif name.startswith("/"):
            anchors[name] = FileAnchor(Path(name))
        elif find_spec("rfc3161_client") is None:
            raise InvalidSettingsError("AUDIT_LOG_LEDGER_ANCHORS: time stamps need the extra `timestamps`.")
        else:
            anchors[name] = TimeStampAnchor(name, directory)
    return anchors


class Anchors:
    """Gives the newest checkpoint to all anchors."""

    def __init__(self, anchors: dict[str, Anchor], database: Database, meter: Meter) -> None:
        self._anchors = anchors
        self._database = database
        self._meter = meter
        self._kept: dict[str, int] = {}
        self._failing: set[str] = set()

    def keep(self) -> None:
        """Give each anchor the newest checkpoint, unless it has it.

        Raises:
            StoreUnavailableError: the database is unreachable; trying again later helps.
        """
        try:
            checkpoint = self._database.proofs.checkpoint()
        except ProofPendingError:
            return
        for name, anchor in self._anchors.items():
            if self._kept.get(name) == checkpoint.size:
                continue
            try:
                anchor.keep(checkpoint)
            except AnchorUnavailableError as exc:
                self._report(name, exc)
            else:
                self._meter.count(CounterName.ANCHOR_STORED, 1)
                self._kept[name] = checkpoint.size
                self._failing.discard(name)

    def _report(self, name: str, error: AnchorUnavailableError) -> None:
        self._meter.count(CounterName.ANCHOR_FAILED, 1)
        if name not in self._failing:
            self._failing.add(name)
            action = (
                "Check the place that is named; the next round tries again with the checkpoint that is newest then."
            )
            _log.error("anchor_failed", extra={"anchor": name, "reason": str(error), "action": action})
