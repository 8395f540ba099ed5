"""Checkpoint guard in a directory: for one signing host.

`last` has the last signed checkpoint, and `checkpoints` all of them, one after the other. Copy neither together with
the database: a guard that is restored with it remembers nothing that the database has forgotten.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import GuardUnavailableError
from core.ports.durable_files import PRIVATE, append, replace, sync

_LAST: Final = "last"
_HISTORY: Final = "checkpoints"
_LOCK: Final = "lock"


class FileGuard:
    """Implements `CheckpointGuard`. The directory is created at the first write."""

    def __init__(self, directory: Path, *, keeps_history: bool = True) -> None:
        """Without `keeps_history` there is no file of all checkpoints: a witness remembers the last one."""
        self._directory = directory
        self._keeps_history = keeps_history

    def latest(self) -> bytes | None:
        """See `CheckpointGuard.latest`."""
        try:
            return (self._directory / _LAST).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise self._unavailable(exc) from exc

    def advance(self, expected: bytes | None, note: bytes) -> None:
        """See `CheckpointGuard.advance`."""
        try:
            if not self._directory.is_dir():
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync(self._directory.parent)
            with self._locked():
                if self.latest() != expected:
                    raise GuardUnavailableError("Another process signed a checkpoint meanwhile.")
                # The history first: a checkpoint that is `last` must be in it after a crash as well.
                if self._keeps_history:
                    append(self._directory / _HISTORY, note, PRIVATE)
                replace(self._directory / _LAST, note, PRIVATE)
        except OSError as exc:
            raise self._unavailable(exc) from exc

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._directory / _LOCK, os.O_WRONLY | os.O_CREAT, PRIVATE)
        try:
            os.fchmod(descriptor, PRIVATE)  # versions before made the file readable to everyone
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # released when the file is closed, also by a kill
            yield
        finally:
            os.close(descriptor)

    def _unavailable(self, error: OSError) -> GuardUnavailableError:
        return GuardUnavailableError(
            f"The checkpoint guard in {self._directory} cannot be used ({error.strerror}): check that "
            "directory, free disk space and permissions."
        )
