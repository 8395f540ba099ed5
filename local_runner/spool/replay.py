"""Reads the pending records of recovered segments, with one segment in memory at a time."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from local_runner.spool.extents import Extent
from local_runner.spool.records import RECORD_OVERHEAD, Damage, Record, decode_records, records_from
from local_runner.spool.segment import Segment

_log = logging.getLogger(__name__)


class Replay:
    """Iterates over records in batches, in the order of their numbers. Not thread-safe: the consumer alone calls it.

    A process that reads the records elsewhere takes their extents instead.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = [segment for segment in segments if segment.pending]
        self._records: Iterator[tuple[Record, Extent]] = iter(())
        self.remaining = sum(segment.pending for segment in self._segments)
        """Records that `take` has not returned."""

    def take(self, at_most: int) -> list[Record]:
        """Return the next records; none if that was all."""
        return [record for record, _ in self._next(at_most)]

    def take_extents(self, at_most: int) -> list[tuple[Extent, float]]:
        """Return the extents of the next `at_most` records, each with the time at which its first was accepted."""
        extents: list[tuple[Extent, float]] = []
        for record, place in self._next(at_most):
            if extents and (last := extents[-1][0]).last + 1 == place.first and last.segment == place.segment:
                size = place.position + place.size - last.position
                extents[-1] = last._replace(last=place.last, size=size), extents[-1][1]
            else:
                extents.append((place, record.sent_at))
        return extents

    def _next(self, at_most: int) -> list[tuple[Record, Extent]]:
        while not (found := list(islice(self._records, at_most))) and self._segments:
            self._records = self._pending_records(self._segments.pop(0))
        self.remaining = max(0, self.remaining - len(found)) if found else 0
        return found

    @staticmethod
    def _pending_records(segment: Segment) -> Iterator[tuple[Record, Extent]]:
        try:
            content = segment.path.read_bytes()
        except OSError:
            _log.exception(
                "spool_segment_unreadable",
                extra={
                    "file": str(segment.path),
                    "events": segment.pending,
                    "action": "Repair the disk and restart: the events are replayed at the next start.",
                },
            )
            return
        position = records_from(content)
        for item in decode_records(content):
            if isinstance(item, Damage):
                position = item.position + len(item.content)
                continue
            size = RECORD_OVERHEAD + len(item.payload)
            if segment.is_pending(item.number):
                yield item, Extent(item.number, item.number, segment.first, position, size)
            position += size
