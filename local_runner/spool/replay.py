"""Reads the pending records of recovered segments, with one segment in memory at a time."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from local_runner.spool.records import Record, decode_records
from local_runner.spool.segment import Segment

_log = logging.getLogger(__name__)


class Replay:
    """Iterates over records in batches, in the order of their numbers. Not thread-safe: the consumer alone calls it."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = [segment for segment in segments if segment.pending]
        self._records: Iterator[Record] = iter(())
        self.remaining = sum(segment.pending for segment in self._segments)
        """Records that `take` has not returned."""

    def take(self, at_most: int) -> list[Record]:
        """Return the next records; none if that was all."""
        while not (records := list(islice(self._records, at_most))) and self._segments:
            self._records = self._pending_records(self._segments.pop(0))
        self.remaining = max(0, self.remaining - len(records)) if records else 0
        return records

    @staticmethod
    def _pending_records(segment: Segment) -> Iterator[Record]:
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
        for item in decode_records(content):
            if isinstance(item, Record) and segment.is_pending(item.number):
                yield item
