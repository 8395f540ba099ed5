"""One segment of the spool: a file of records with numbers in a row, and which of them are settled."""

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from local_runner.spool.files import FileSystem
from local_runner.spool.records import NOTE_BYTES, header, note

SUFFIX: Final = ".log"
NOTES_SUFFIX: Final = ".settled"


class Segment:
    """The records from number `first` on, each with one byte in memory that says whether it is settled.

    Not safe by itself: its slot's lock guards everything but `syncing`, which is held while its file is synced or
    closed, and taken before the slot's lock.
    """

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first: Final = first
        self.size = 0  # bytes
        self.left = 0  # records that are not settled
        self._settled = bytearray()
        self.notes_path = path.with_suffix(NOTES_SUFFIX)

        # What follows is of a segment that this process writes, until all of it is on disk.
        self.descriptor: int | None = None
        self.syncing = Lock()
        self.synced = 0  # bytes
        self.synced_end = first
        self.failed = False  # a sync failed: what is beyond `synced` is in doubt, and must not be synced again
        self.abandoned = False  # and has its successor
        self.unsynced: list[bytes] = []  # what is beyond `synced`, to be written elsewhere in that case
        self.named = False  # its name is on disk
        self.torn = False  # ends in a part of a record that could not be taken away

    @classmethod
    def started(cls, directory: Path, first: int, disk: FileSystem, *, content: bytes = b"") -> "Segment":
        """A new file, which may begin with records that are written again: their flags are still to be given."""
        segment = cls(path_of(directory, first), first)
        start = header() + content
        segment.descriptor = disk.create(segment.path, start)
        segment.size = len(start)
        segment.unsynced = [content] if content else []
        return segment

    @property
    def end(self) -> int:
        """The number after the last."""
        return self.first + len(self._settled)

    def extend(self, flags: bytes) -> None:
        """Count further records in: 0 for each that is not settled, 1 for each that is."""
        self._settled += flags
        self.left += flags.count(0)

    def append(self, content: bytes, count: int, disk: FileSystem, *, keep: bool) -> None:
        """Write the records of `count` numbers; `keep` those bytes until they are synced.

        Raises:
            OSError: nothing was written, and there is no record of it.
        """
        assert self.descriptor is not None  # noqa: S101 - only the slot's active segment is written
        try:
            disk.append(self.descriptor, content, self.size)
        except OSError:
            self.torn = os.fstat(self.descriptor).st_size != self.size
            raise
        self.size += len(content)
        if keep:
            self.unsynced.append(content)
        self._settled += bytes(count)
        self.left += count

    def is_unsettled(self, number: int) -> bool:
        """Whether the number is one of this segment's, and not dealt with."""
        return self.first <= number < self.end and not self._settled[number - self.first]

    def settle(self, first: int, last: int) -> None:
        """Note, in memory and then on disk, that these numbers, all of them of this segment, are dealt with.

        The note is not synced, and is left out if it cannot be written: what is not noted comes once more, which its id
        makes harmless.
        """
        if first > last:
            return
        self.mark(first, last)
        with suppress(OSError):
            descriptor = os.open(self.notes_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                if odd := size % NOTE_BYTES:  # a part of a note, of a disk that was full
                    os.ftruncate(descriptor, size - odd)
                os.write(descriptor, note(first, last))
            finally:
                os.close(descriptor)

    def mark(self, first: int, last: int) -> None:
        """Take these numbers for dealt with, as far as they are this segment's."""
        start, stop = max(0, first - self.first), min(len(self._settled), last + 1 - self.first)
        if start < stop:
            self.left -= self._settled.count(0, start, stop)
            self._settled[start:stop] = b"\1" * (stop - start)

    def cut(self, first: int) -> bytes:
        """Give the records from number `first` on away to another segment; their flags."""
        flags = bytes(self._settled[first - self.first :])
        del self._settled[first - self.first :]
        self.left -= flags.count(0)
        self.unsynced = []
        return flags

    def notes(self) -> bytes:
        """What is noted on disk."""
        return self.notes_path.read_bytes() if self.notes_path.exists() else b""

    def close(self) -> None:
        """Close the file; nothing is written any more."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def remove(self) -> None:
        """Remove the files, the records first: notes alone mean nothing."""
        self.path.unlink(missing_ok=True)
        self.notes_path.unlink(missing_ok=True)


def path_of(directory: Path, first: int) -> Path:
    """Where the segment that begins with this number is."""
    return directory / f"{first:020d}{SUFFIX}"
