"""Helpers for tests of the spool: a disk that fails on demand, and the directory that a killed process leaves."""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from local_runner.spool.files import FileSystem
from local_runner.spool.slot import Slot, SpoolLimits


class FaultyDisk:
    """Takes `room` more bytes, the last ones as a part of a write; syncs and truncates unless set to fail."""

    def __init__(self) -> None:
        self.room = 1 << 40
        self.writes = 0
        self.sync_fails = False
        self.truncate_fails = False
        self.synced: list[str] = []  # names of files and directories
        self.disk = FileSystem(self._write, self._truncate, self._sync)

    def _write(self, descriptor: int, content: bytes | memoryview) -> int:
        taken = min(len(content), self.room)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        self.writes += 1
        return os.write(descriptor, content[:taken])

    def _truncate(self, descriptor: int, size: int) -> None:
        if self.truncate_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(descriptor, size)

    def _sync(self, descriptor: int) -> None:
        if self.sync_fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        os.fsync(descriptor)


def open_slot(
    directory: Path,
    *,
    durable: bool = False,
    disk: FileSystem | None = None,
    max_bytes: int = 1 << 30,
    segment_bytes: int = 1 << 20,
    segment_seconds: float = 3600.0,
) -> Slot:
    return Slot(
        directory, SpoolLimits(max_bytes, segment_bytes, segment_seconds), disk or FileSystem(), durable=durable
    )


def append(slot: Slot, *payloads: bytes) -> list[int]:
    """Append and sync payloads; their numbers."""
    numbers, segment, size = slot.append(payloads, 1.0)
    slot.commit(segment, size)
    return list(numbers)


def killed(directory: Path) -> Path:
    """Copy a slot's directory as it is now, as if the process were killed at this moment."""
    copy = directory.parent.with_name(f"{directory.parent.name}-killed") / directory.name
    if copy.parent.exists():
        shutil.rmtree(copy.parent)
    shutil.copytree(directory, copy)
    return copy


def replayed(directory: Path, at_most: int = 1000) -> dict[int, bytes]:
    """Return the payloads by number that a process replays from a slot."""
    slot = open_slot(directory)
    try:
        return dict(numbers_and_payloads(slot, at_most))
    finally:
        slot.close()


def numbers_and_payloads(slot: Slot, at_most: int = 1000) -> Sequence[tuple[int, bytes]]:
    found = []
    while records := slot.replay.take(at_most):
        found += [(record.number, record.payload) for record in records]
    return found


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))
