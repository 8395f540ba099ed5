"""One segment of the spool: a file of records with consecutive numbers, and the file of their acknowledgements."""

import errno
import os
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import Final

from local_runner.spool.files import FileSystem
from local_runner.spool.records import ACK_BYTES, encode_ack, header

SUFFIX: Final = ".log"
ACKS_SUFFIX: Final = ".settled"


class SegmentState(Enum):
    """How much this process may still do with the file of a segment."""

    CLOSED = "closed"
    """Recovered from an earlier process, or full and on disk. It is only read and acknowledged."""
    WRITABLE = "writable"
    """Open, and every record in it is whole. The active segment of a slot takes further records."""
    TORN = "torn"
    """Open, and ends in a part of a record that could not be truncated. It takes syncs, but no further records."""
    SYNC_FAILED = "sync failed"
    """Open, and the bytes beyond `synced` may be lost even if another sync succeeds. It takes no records, no syncs."""
    REPLACED = "replaced"
    """As SYNC_FAILED, and its unsynced records are in another segment or refused: it waits to be closed."""


class Segment:
    """Counts the records from number `first` on, with one byte of memory for each: 1 if it is acknowledged.

    Not thread-safe: the lock of the slot guards everything but `syncing`. That lock is held while the file is synced or
    closed, and is taken before the slot's.
    """

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.acks_path = path.with_suffix(ACKS_SUFFIX)
        self.first: Final = first
        self.size = 0
        """Bytes of the file, without its acknowledgements."""
        self.pending = 0
        """Records that are not acknowledged."""
        self._acknowledged = bytearray()

        self.state = SegmentState.CLOSED
        self.opened_at = time.monotonic()
        self.descriptor: int | None = None
        self.syncing = Lock()
        self.synced = 0
        """Bytes that are on disk; 0 until the file's name is, too."""
        self.synced_end = first
        """The number behind the last record that is on disk."""
        self.unsynced: list[bytes] = []
        """The records beyond `synced`, to be written again if the sync fails; empty in durable slots."""

    @classmethod
    def create(cls, directory: Path, first: int, disk: FileSystem, *, content: bytes = b"") -> "Segment":
        """Create the file of a new segment. The flags of the records in `content` are left to `add_records`.

        Raises:
            OSError: no file was created.
        """
        segment = cls(path_of(directory, first), first)
        start = header() + content
        segment.descriptor = disk.create(segment.path, start)
        segment.state = SegmentState.WRITABLE
        segment.size = len(start)
        segment.unsynced = [content] if content else []
        return segment

    @property
    def sync_failed(self) -> bool:
        """Whether a sync of this file failed, so that it takes neither records nor syncs."""
        return self.state is SegmentState.SYNC_FAILED or self.state is SegmentState.REPLACED

    @property
    def end(self) -> int:
        """The number behind the last record."""
        return self.first + len(self._acknowledged)

    def add_records(self, flags: bytes) -> None:
        """Count records that are in the file already, one flag for each: 1 if it is acknowledged, else 0."""
        self._acknowledged += flags
        self.pending += flags.count(0)

    def append(self, content: bytes, count: int, disk: FileSystem, *, keep: bool) -> None:
        """Write the `count` records in `content`; with `keep` their bytes stay in `unsynced` until they are on disk.

        Raises:
            OSError: no record was written, or the file was deleted. The segment is torn if a part of one is left.
        """
        assert self.descriptor is not None  # noqa: S101 - only a slot's active segment is written, which is open
        try:
            disk.append(self.descriptor, content, self.size)
            if not os.fstat(self.descriptor).st_nlink:  # without a name it takes records that are lost with the process
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        except OSError:
            if os.fstat(self.descriptor).st_size != self.size:
                self.state = SegmentState.TORN
            raise
        self.size += len(content)
        if keep:
            self.unsynced.append(content)
        self._acknowledged += bytes(count)
        self.pending += count

    def is_in_place(self) -> bool:
        """Whether the open file is the one at its path, where the next process looks for it."""
        assert self.descriptor is not None  # noqa: S101 - asked about the active segment, which is open
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self.descriptor))
        except OSError:
            return False

    def is_pending(self, number: int) -> bool:
        """Whether the segment counts a record with this number that is not acknowledged."""
        return self.first <= number < self.end and not self._acknowledged[number - self.first]

    def acknowledge(self, first: int, last: int) -> None:
        """Acknowledge the numbers from `first` to `last`, all of this segment, in memory and then on disk.

        The acknowledgement is not synced, and is left out if it cannot be written: its events are then replayed at the
        next start, which their ids make harmless.
        """
        if first > last:
            return
        self.mark_acknowledged(first, last)
        with suppress(OSError):
            descriptor = os.open(self.acks_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                if excess := size % ACK_BYTES:  # a part of an acknowledgement, written when the disk was full
                    os.ftruncate(descriptor, size - excess)
                os.write(descriptor, encode_ack(first, last))
            finally:
                os.close(descriptor)

    def mark_acknowledged(self, first: int, last: int) -> None:
        """Acknowledge in memory alone; numbers that are not of this segment are ignored."""
        start, stop = max(0, first - self.first), min(len(self._acknowledged), last + 1 - self.first)
        if start < stop:
            self.pending -= self._acknowledged.count(0, start, stop)
            self._acknowledged[start:stop] = b"\1" * (stop - start)

    def split_off(self, first: int) -> bytes:
        """Stop counting the records from number `first` on, and return their flags for `add_records` of another."""
        flags = bytes(self._acknowledged[first - self.first :])
        del self._acknowledged[first - self.first :]
        self.pending -= flags.count(0)
        self.unsynced = []
        return flags

    def read_acks(self) -> bytes:
        """Return the acknowledgements on disk; empty if there are none."""
        return self.acks_path.read_bytes() if self.acks_path.exists() else b""

    def close(self) -> None:
        """Close the file. A second call has no effect."""
        self.state = SegmentState.CLOSED
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def remove(self) -> None:
        """Remove both files, the records first: acknowledgements without records are ignored."""
        self.path.unlink(missing_ok=True)
        self.acks_path.unlink(missing_ok=True)


def path_of(directory: Path, first: int) -> Path:
    """Return the path of the segment that begins with this number."""
    return directory / f"{first:020d}{SUFFIX}"
