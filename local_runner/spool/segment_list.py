"""The segments of one slot in the order of their numbers: which takes records, which is replaced, which may go."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from local_runner.spool.files import FileSystem
from local_runner.spool.records import contiguous_ranges
from local_runner.spool.segment import Segment, SegmentState


class SegmentList:
    """Segments with ascending numbers, of which the last is active. Not thread-safe: the slot's lock guards it."""

    def __init__(self, directory: Path, recovered: Sequence[Segment], next_number: int, disk: FileSystem) -> None:
        """Continue behind the `recovered` segments in a new one that begins with `next_number`.

        Raises:
            OSError: the new segment cannot be created.
        """
        self._directory: Final = directory
        self._disk: Final = disk
        self._segments = list(recovered)
        self.size = sum(segment.size for segment in recovered)
        """Bytes of all segments."""
        self.retired: list[Segment] = []
        """Segments that are written and synced no more, and may still have an open file to close."""
        self.active = self._add(next_number)
        """The segment that takes records."""

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    @property
    def pending(self) -> int:
        """Records that are not acknowledged."""
        return sum(segment.pending for segment in self._segments)

    def roll_over(self) -> None:
        """Make a new segment the active one.

        Raises:
            OSError: it cannot be created; the active one stays.
        """
        self.active = self._add(self.active.end)

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """Acknowledge these numbers, in any order; unknown ones are ignored."""
        for first, last in contiguous_ranges(numbers):
            start = bisect_right(self._segments, first, key=_first)
            for segment in self._segments[max(0, start - 1) :]:
                if segment.first > last:
                    break
                segment.acknowledge(max(first, segment.first), min(last, segment.end - 1))

    def refuse_unsynced(self, segment: Segment) -> None:
        """Replace a segment whose sync failed. Acknowledge its unsynced records, whose publishers get an error.

        Raises:
            OSError: the next segment cannot be created; the call may be repeated.
        """
        segment.acknowledge(segment.synced_end, segment.end - 1)
        if segment is self.active:
            self.roll_over()
        self._replaced(segment)

    def rewrite_unsynced(self, segment: Segment) -> None:
        """Replace a segment whose sync failed. Write its unsynced records again, into a segment behind it.

        The name of the new segment is the first number in it. From that, recovery knows that the copies in the old
        segment do not count.

        Raises:
            OSError: the new segment cannot be written; the call may be repeated.
        """
        first = segment.synced_end
        copy = Segment.create(self._directory, first, self._disk, content=b"".join(segment.unsynced))
        copy.add_records(segment.split_off(first))
        self._segments.insert(self._segments.index(segment) + 1, copy)
        self.size += copy.size
        if segment is self.active:
            self.active = copy
        if segment.first == first:
            self._remove(segment)  # the copy has taken over its name, and so its file
        self._replaced(segment)

    def remove_acknowledged(self) -> bool:
        """Remove the files of closed segments without pending records; whether there were any.

        Raises:
            OSError: a file cannot be removed; the call may be repeated.
        """
        done = [
            segment
            for segment in self._segments
            if not segment.pending and segment is not self.active and segment.state is SegmentState.CLOSED
        ]
        for segment in done:
            segment.remove()
            self._remove(segment)
        return bool(done)

    def _add(self, first: int) -> Segment:
        segment = Segment.create(self._directory, first, self._disk)
        if self._segments and self._segments[-1].first == first:
            self.retired.append(self._segments[-1])  # it has no records, and the new file has taken over its name
            self._remove(self._segments[-1])
        self._segments.append(segment)
        self.size += segment.size
        return segment

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self.size -= segment.size

    def _replaced(self, segment: Segment) -> None:
        segment.state = SegmentState.REPLACED
        self.retired.append(segment)


def _first(segment: Segment) -> int:
    return segment.first
