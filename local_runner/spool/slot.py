"""A slot of the spool: the directory that one process locks and appends to. See the package for its purpose."""

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from core.errors import QueueFullError, QueueUnavailableError
from local_runner.spool.files import FileSystem, lock
from local_runner.spool.names import names_of
from local_runner.spool.records import SLOT_SHIFT, encode_record
from local_runner.spool.recovery import recover
from local_runner.spool.replay import Replay
from local_runner.spool.segment import Segment, SegmentState
from local_runner.spool.segment_list import SegmentList

_WRITABLE: Final = SegmentState.WRITABLE  # every append compares with it, and Python 3.11 looks up members slowly


@dataclass(frozen=True)
class SpoolLimits:
    """Bounds in bytes on disk. A segment takes half of `max_bytes` at most, so that a full spool can be emptied.

    After `segment_seconds` a segment that is not full is removed as well, as soon as all of its events are stored: the
    spool would keep erased events for months.
    """

    max_bytes: int = 1024 * 1024 * 1024
    segment_bytes: int = 16 * 1024 * 1024
    segment_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class SlotHistory:
    """The use of a slot by earlier processes, for the count of accepted events.

    `names` are unique among the slots of all hosts, the newest first, see `local_runner.spool.names`. `accepted` is the
    number of events ever appended, and `written_at` the time of the last write in Unix seconds, 0 if there was none.
    """

    names: tuple[str, ...]
    accepted: int
    written_at: float


class Slot:
    """Appends to the active segment, and replays the segments of earlier processes. Thread-safe.

    A durable slot is for the mode `disk`: publishers wait in `commit`, and get an error if a sync fails. In other slots
    `maintain` syncs later: records are kept in memory until then, and written again if the sync fails.
    """

    def __init__(self, directory: Path, limits: SpoolLimits, disk: FileSystem, *, durable: bool) -> None:
        """Lock the directory, recover its segments, and begin a new one.

        Raises:
            LockedError: another process holds the slot.
            InvalidSettingsError: a segment has an unknown version; no file was changed.
            QueueUnavailableError: the new segment cannot be synced.
            OSError: the directory cannot be read or written.
        """
        self.number: Final = int(directory.name)
        self._directory = directory
        self._max_bytes = limits.max_bytes
        self._segment_seconds = limits.segment_seconds
        self._segment_bytes = min(limits.segment_bytes, limits.max_bytes // 2)
        self._disk = disk
        self._durable = durable
        self._lock = Lock()
        self._closed = False
        self._lock_descriptor = lock(directory)
        try:
            numbers_before = self.number << SLOT_SHIFT
            recovered = recover(directory, numbers_before + 1, disk)
            self.damages = recovered.damages
            self.history = SlotHistory(
                names=names_of(directory, disk, used=bool(recovered.segments)),
                accepted=recovered.next_number - 1 - numbers_before,
                written_at=recovered.written_at,
            )
            self.replay = Replay(recovered.segments)
            self._segments = SegmentList(directory, recovered.segments, recovered.next_number, disk)
            self.commit(self._segments.active, self._segments.active.size)
            self.maintain()
        except BaseException:
            os.close(self._lock_descriptor)
            raise

    @property
    def size(self) -> int:
        """Bytes of all segments on disk."""
        return self._segments.size

    @property
    def pending(self) -> int:
        """Events that are not acknowledged."""
        with self._lock:
            return self._segments.pending

    def append(self, payloads: Sequence[bytes], sent_at: float) -> tuple[range, Segment, int]:
        """Write one record for each payload. Returns their numbers, and the segment and its size, for `commit`.

        Raises:
            QueueFullError: the spool is at its bound; nothing was written.
            QueueUnavailableError: the disk did not take the records; nothing was written.
        """
        segments = self._segments
        with self._lock:
            try:
                active = self._writable()
                first = active.end
                content = b"".join(
                    [encode_record(number, sent_at, payload) for number, payload in enumerate(payloads, first)]
                )
                if segments.size + len(content) > self._max_bytes:
                    raise QueueFullError(
                        "The queue's spool is full: nothing was accepted, send it again after Retry-After seconds."
                    )
                active.append(content, len(payloads), self._disk, keep=not self._durable)
            except OSError as exc:
                raise QueueUnavailableError(
                    f"The queue's spool cannot be written ({exc.strerror}): nothing was accepted, send it again later."
                ) from exc
            segments.size += len(content)
            return range(first, active.end), active, active.size

    def commit(self, segment: Segment, size: int) -> None:
        """Wait until the first `size` bytes of a segment are on disk. One sync serves all who wait when it begins.

        A failed sync says nothing about the next one, which may succeed although the data is lost
        (https://wiki.postgresql.org/wiki/Fsync_Errors). So it is not repeated: another segment takes over.

        Raises:
            QueueUnavailableError: the bytes may not be on disk.
        """
        with segment.syncing:
            if segment.synced >= size:
                return
            with self._lock:
                if segment.descriptor is None or segment.sync_failed:
                    raise _not_synced()
                upto, end, written = segment.size, segment.end, len(segment.unsynced)
            try:
                self._disk.sync(segment.descriptor)
                if not segment.synced:
                    self._disk.sync_path(self._directory)  # the file's name
            except OSError as exc:
                with self._lock:
                    segment.state = SegmentState.SYNC_FAILED
                    with suppress(OSError):  # the next append or `maintain` tries again
                        self._replace(segment)
                raise _not_synced() from exc
            with self._lock:
                segment.synced, segment.synced_end = upto, end
                del segment.unsynced[:written]

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Keep these events from being replayed: they are stored, or durably among the dead letters."""
        with self._lock:
            if not self._closed:  # else another process may hold the slot
                self._segments.acknowledge(numbers)

    def maintain(self) -> None:
        """Sync written records, close full and old segments, and remove those without pending events.

        In a durable slot the active segment is synced by `commit` alone.

        Raises:
            QueueUnavailableError: a sync failed; the next call continues with other segments.
            OSError: a file could not be removed or written again, or the directory is not in its place; the next call
                tries that again.
        """
        with self._lock:
            opened = [segment for segment in self._segments if segment.state is not SegmentState.CLOSED]
        for segment in opened:
            if segment.sync_failed:
                with self._lock:
                    self._replace(segment)
            elif segment is not self._segments.active:
                self.commit(segment, segment.size)
                self._segments.retired.append(segment)
            elif not self._durable:
                self.commit(segment, segment.size)
        while self._segments.retired:
            with (segment := self._segments.retired.pop()).syncing:
                segment.close()
        with self._lock:
            removed = self._segments.remove_acknowledged()
        if removed:
            self._disk.sync_path(self._directory)
        with self._lock:
            self._renew_active()

    def close(self) -> None:
        """Sync everything and release the lock; `acknowledge` has no effect from then on. May be called twice.

        Raises:
            QueueUnavailableError: a part may not be on disk; the lock is released nevertheless.
            OSError: the same.
        """
        if self._closed:
            return
        try:
            with self._lock:
                active = self._segments.active
                if not active.pending and active.end > active.first:
                    self._segments.roll_over()  # so that the segment is removed: all its events are stored
            self.commit(self._segments.active, self._segments.active.size)
            self.maintain()
        finally:
            with self._lock:
                self._closed = True
                for segment in (*self._segments, *self._segments.retired):
                    segment.close()
                os.close(self._lock_descriptor)

    def _writable(self) -> Segment:
        """Return the active segment; another one takes over if it is full, torn, or could not be synced."""
        if self._closed:
            raise QueueUnavailableError("The queue's spool is closed: nothing was accepted, send it again.")
        active = self._segments.active
        if active.state is _WRITABLE and active.size < self._segment_bytes:
            return active
        if active.state is SegmentState.SYNC_FAILED:
            self._replace(active)
        else:
            self._segments.roll_over()
        return self._segments.active

    def _renew_active(self) -> None:
        """Let another segment take over from one whose file was deleted or moved, or which is old and done with."""
        active = self._segments.active
        if self._closed or active.sync_failed:
            return
        if not active.is_in_place():
            active.state = SegmentState.TORN  # until the directory is back, nothing is accepted
            self._segments.roll_over()
            return
        is_old = time.monotonic() - active.opened_at >= self._segment_seconds
        if is_old and active.end > active.first and not active.pending:
            self._segments.roll_over()

    def _replace(self, segment: Segment) -> None:
        """Let another segment take over from one whose sync failed, unless that is done. May be called again."""
        if segment.state is not SegmentState.SYNC_FAILED:
            return
        if self._durable:
            self._segments.refuse_unsynced(segment)
        else:
            self._segments.rewrite_unsynced(segment)


def _not_synced() -> QueueUnavailableError:
    return QueueUnavailableError("The queue's spool cannot be put on disk: nothing was accepted, send it again later.")
