"""A slot of the spool: a directory of segments that one process at a time holds, by a lock that dies with it.

Numbers run on over restarts, since there is always a last segment, named by the next number. The upper 16 bits of a
number are its slot's, so that no two events of a data directory have the same.
"""

import hashlib
import os
import socket
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from core.errors import QueueFullError, QueueUnavailableError
from local_runner.spool.files import FileSystem, lock
from local_runner.spool.records import contiguous_ranges, encode_record
from local_runner.spool.recovery import Recovery, Replay
from local_runner.spool.segment import Segment

SLOT_SHIFT: Final = 48


@dataclass(frozen=True)
class SpoolLimits:
    """Bounds in bytes on disk. A segment is at most half of all: what is full must be able to empty itself."""

    max_bytes: int = 1024 * 1024 * 1024
    segment_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SlotHistory:
    """What a slot tells of earlier processes: how many events they put into it in all, and when the last.

    `slot` names it among all slots of all hosts.
    """

    slot: str
    accepted: int
    written_at: float


class Slot:
    """Appends to its last segment, and replays what was there before. Safe to use from several threads."""

    def __init__(self, directory: Path, limits: SpoolLimits, disk: FileSystem, *, durable: bool) -> None:
        """Lock the directory, take stock of it, and begin a new segment.

        With `durable`, what is appended waits for `commit`; without, it is kept to be written again if a sync fails.

        Raises:
            TakenError: another process holds it.
            InvalidSettingsError: a file is of a version that is not known here; everything is left as it is.
            QueueUnavailableError: the directory cannot be written.
            OSError: the directory cannot be read or written.
        """
        self.number: Final = int(directory.name)
        self._directory = directory
        self._max_bytes = limits.max_bytes
        self._segment_bytes = min(limits.segment_bytes, limits.max_bytes // 2)
        self._disk = disk
        self._durable = durable
        self._lock = Lock()
        self._closed = False
        self._lock_descriptor = lock(directory)
        try:
            found = Recovery(directory, (self.number << SLOT_SHIFT) + 1, disk)
            self.damages = found.damages
            self.past = SlotHistory(
                slot=hashlib.sha256(f"{socket.gethostname()}:{directory.absolute()}".encode()).hexdigest()[:32],
                accepted=found.next_number - 1 - (self.number << SLOT_SHIFT),
                written_at=found.written_at,
            )
            self.to_replay = Replay(found.segments)
            self._segments = found.segments
            self._retired: list[Segment] = []  # open files that nothing is written to any more
            self.bytes = sum(segment.size for segment in self._segments)
            self._active = self._start(found.next_number)
            self.commit(self._active, self._active.size)
            self.maintain()
        except BaseException:
            os.close(self._lock_descriptor)
            raise

    def append(self, payloads: Sequence[bytes], sent_at: float) -> tuple[range, Segment, int]:
        """Write all of `payloads`; their numbers, and the segment and its size, for `commit`.

        Raises:
            QueueFullError: there is no room; nothing was written.
            QueueUnavailableError: the disk does not take it; nothing was written.
        """
        with self._lock:
            try:
                active = self._writable()
                first = active.end
                content = b"".join(
                    [encode_record(number, sent_at, payload) for number, payload in enumerate(payloads, first)]
                )
                if self.bytes + len(content) > self._max_bytes:
                    raise QueueFullError(
                        "The queue's spool is full: nothing was accepted, send it again after Retry-After seconds."
                    )
                active.append(content, len(payloads), self._disk, keep=not self._durable)
            except OSError as exc:
                raise QueueUnavailableError(
                    f"The queue's spool cannot be written ({exc.strerror}): nothing was accepted, send it again later."
                ) from exc
            self.bytes += len(content)
            return range(first, active.end), active, active.size

    def commit(self, segment: Segment, size: int) -> None:
        """Have the segment on disk up to `size`; whoever comes meanwhile waits, and is mostly served by the next sync.

        A sync that fails says nothing about the one after it, which may succeed although the data is gone
        (https://wiki.postgresql.org/wiki/Fsync_Errors): the segment is abandoned.

        Raises:
            QueueUnavailableError: it is not on disk.
        """
        with segment.syncing:
            if segment.synced >= size:
                return
            with self._lock:
                if segment.failed or segment.descriptor is None:
                    raise _in_doubt()
                upto, end, written = segment.size, segment.end, len(segment.unsynced)
            try:
                self._disk.sync(segment.descriptor)
                if not segment.named:
                    self._disk.sync_file(self._directory)
            except OSError as exc:
                with self._lock:
                    segment.failed = True
                    with suppress(OSError):  # the next append or `maintain` tries again
                        self._abandon(segment)
                raise _in_doubt() from exc
            with self._lock:
                segment.named = True
                segment.synced, segment.synced_end = upto, end
                del segment.unsynced[:written]

    def settle(self, numbers: Iterable[int]) -> None:
        """Note that these are stored or in the durable dead letters: they are not replayed any more."""
        with self._lock:
            if self._closed:
                return  # another process may hold the slot by now
            for first, last in contiguous_ranges(numbers):
                start = bisect_right(self._segments, first, key=_first)
                for segment in self._segments[max(0, start - 1) :]:
                    if segment.first > last:
                        break
                    segment.settle(max(first, segment.first), min(last, segment.end - 1))

    def maintain(self) -> None:
        """Have everything written so far on disk, close what is full, and remove what is settled.

        In a durable slot the active segment is left to those who wait for `commit`.

        Raises:
            QueueUnavailableError: not all of it is on disk; the next call tries the rest elsewhere.
            OSError: a file could not be removed or written again; the next call tries again.
        """
        with self._lock:
            written = [segment for segment in self._segments if segment.descriptor is not None]
        for segment in written:
            if segment.failed:
                with self._lock:
                    self._abandon(segment)
            elif segment is not self._active:
                self.commit(segment, segment.size)
                self._retired.append(segment)
            elif not self._durable:
                self.commit(segment, segment.size)
        while self._retired:
            with (segment := self._retired.pop()).syncing:
                segment.close()
        self._remove_settled()

    def close(self) -> None:
        """Leave the slot to others, with everything on disk; a later `settle` has no effect.

        Raises:
            QueueUnavailableError: not all of it is on disk.
            OSError: the same.
        """
        if self._closed:
            return
        try:
            with self._lock:
                if not self._active.left and self._active.end > self._active.first:
                    self._active = self._start(self._active.end)  # so that no event stays that is stored
            self.commit(self._active, self._active.size)
            self.maintain()
        finally:
            with self._lock:
                self._closed = True
                for segment in (*self._segments, *self._retired):
                    segment.close()
                os.close(self._lock_descriptor)

    @property
    def left(self) -> int:
        """How many events are not settled."""
        with self._lock:
            return sum(segment.left for segment in self._segments)

    def _writable(self) -> Segment:
        if self._closed:
            raise QueueUnavailableError("The queue's spool is closed: nothing was accepted, send it again.")
        if self._active.failed:
            self._abandon(self._active)
        elif self._active.torn or self._active.size >= self._segment_bytes:
            self._active = self._start(self._active.end)
        return self._active

    def _start(self, first: int) -> Segment:
        segment = Segment.started(self._directory, first, self._disk)
        if self._segments and self._segments[-1].first == first:
            self._drop(self._segments[-1])  # without a record, and the new file has taken its name
        self._segments.append(segment)
        self.bytes += segment.size
        return segment

    def _abandon(self, segment: Segment) -> None:
        """Go on in another segment than one whose end is in doubt. Raises OSError, and may then be called again."""
        if segment.abandoned:
            return
        doubtful = segment.synced_end
        if self._durable:
            segment.settle(doubtful, segment.end - 1)  # its publishers are told that nothing was accepted
            if segment is self._active:
                self._active = self._start(segment.end)
        else:
            self._write_again(segment, doubtful)
        segment.abandoned = True
        self._retired.append(segment)

    def _write_again(self, segment: Segment, doubtful: int) -> None:
        """Put the records from number `doubtful` on into a new file, by whose name a restart knows that they count."""
        content = b"".join(segment.unsynced)
        again = Segment.started(self._directory, doubtful, self._disk, content=content)
        again.extend(segment.cut(doubtful))
        self._segments.insert(self._segments.index(segment) + 1, again)
        self.bytes += again.size
        if segment is self._active:
            self._active = again
        if segment.first == doubtful:
            self._drop(segment)

    def _drop(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self._retired.append(segment)
        self.bytes -= segment.size

    def _remove_settled(self) -> None:
        with self._lock:
            settled = [
                segment
                for segment in self._segments
                if not segment.left and segment is not self._active and segment.descriptor is None
            ]
            for segment in settled:
                segment.remove()
                self._segments.remove(segment)
                self.bytes -= segment.size
        if settled:
            self._disk.sync_file(self._directory)


def _first(segment: Segment) -> int:
    return segment.first


def _in_doubt() -> QueueUnavailableError:
    return QueueUnavailableError("The queue's spool cannot be put on disk: nothing was accepted, send it again later.")
