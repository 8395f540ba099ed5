"""What the spool asks of a file system, and where a durable change of it is easy to get wrong."""

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCK_NAME: Final = "lock"
DRAFT_SUFFIX: Final = ".tmp"

Write = Callable[[int, bytes | memoryview], int]
Truncate = Callable[[int, int], None]
Sync = Callable[[int], None]


@dataclass(frozen=True)
class FileSystem:
    """The calls that a disk fails by; tests pass in others."""

    write: Write = os.write
    truncate: Truncate = os.ftruncate
    sync: Sync = os.fsync

    def append(self, descriptor: int, content: bytes, at: int) -> None:
        """Write all of `content` at the end of a file that was opened for appending and has `at` bytes, or nothing.

        Raises:
            OSError: nothing was written; or, if even that cannot be undone, a part that is no record.
        """
        written = 0
        try:
            while written < len(content):  # a disk that fills up takes a part first, and fails at the next call
                written += self.write(descriptor, memoryview(content)[written:])
        except OSError:
            self.truncate(descriptor, at)
            raise

    def create(self, path: Path, content: bytes) -> int:
        """Make a file that appears under its name with all of `content` at once; a descriptor for appending.

        Only syncing the directory makes the name outlast a power cut.
        """
        draft = path.with_suffix(DRAFT_SUFFIX)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            self.append(descriptor, content, 0)
            draft.rename(path)
        except OSError:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        return descriptor

    def keep(self, path: Path, content: bytes) -> None:
        """Make a file that is on disk, with its name, when this returns."""
        descriptor = self.create(path, content)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.sync_file(path.parent)

    def sync_file(self, path: Path) -> None:
        """Have a file on disk that is not open, or a directory: what was created, renamed and removed in it."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)


class LockedError(Exception):
    """A live process holds the directory."""


def lock(directory: Path) -> int:
    """Hold the directory, which is made if it is not there, until the descriptor is closed or the process dies.

    Raises:
        TakenError: another holds it.
        OSError: it cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError from None
    return descriptor
