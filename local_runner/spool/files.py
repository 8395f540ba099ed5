"""File system calls of the spool: whole writes, durable creation, and the lock of a directory."""

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
    """The system calls that a failing disk makes fail. Tests pass in their own."""

    write: Write = os.write
    truncate: Truncate = os.ftruncate
    sync: Sync = os.fsync

    def append(self, descriptor: int, content: bytes, at: int) -> None:
        """Append all of `content`, or nothing, to a file that was opened for appending and has `at` bytes.

        Raises:
            OSError: nothing was written; or, if the truncation fails as well, a part of `content`.
        """
        written = 0
        try:
            while written < len(content):  # a disk that fills up takes a part first, and fails at the next call
                written += self.write(descriptor, memoryview(content)[written:])
        except OSError:
            self.truncate(descriptor, at)
            raise

    def create(self, path: Path, content: bytes) -> int:
        """Create a file that appears under its name complete with `content`, and return a descriptor for appending.

        Neither the content nor the name is synced.

        Raises:
            OSError: no file was created.
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

    def write_durably(self, path: Path, content: bytes) -> None:
        """Create a file whose content and name are on disk when this returns.

        Raises:
            OSError: it may not outlast a power cut.
        """
        descriptor = self.create(path, content)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        self.sync_path(path.parent)

    def sync_path(self, path: Path) -> None:
        """Sync a file that is not open, or a directory: the names created, changed and removed in it.

        Raises:
            OSError: it may not be on disk.
        """
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)


class LockedError(Exception):
    """Another process holds the lock of the directory, and is alive."""


def lock(directory: Path) -> int:
    """Create the directory if it is missing, lock it, and return the descriptor that holds the lock.

    The lock (flock) lasts until the descriptor is closed or the process dies.

    Raises:
        LockedError: another process holds the lock.
        OSError: the directory cannot be created or written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LockedError from None
    return descriptor
