"""Extents: where the records of consecutive events are in a segment, so that another process can read them there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from core.errors import QueueUnavailableError
from local_runner.spool.records import SLOT_SHIFT, Record, decode_records, decode_whole
from local_runner.spool.segment import SUFFIX, path_of

_JOINED_RECORDS: Final = 256
_JOINED_BYTES: Final = 1024 * 1024


class Extent(NamedTuple):
    """The records from number `first` to `last`, both inclusive.

    They are among the `size` bytes from `position` on of the segment that begins with number `segment`. A part of an
    extent has the bytes of the whole.
    """

    first: int
    last: int
    segment: int
    position: int
    size: int

    @property
    def records(self) -> int:
        """How many records it has."""
        return self.last + 1 - self.first

    def only(self, number: int) -> "Extent":
        """Return the extent of one of its records."""
        return self._replace(first=number, last=number)

    def joined(self, following: "Extent") -> "Extent | None":
        """Return the extent of both, if the other begins where this one ends and both together are of moderate size."""
        end = self.position + self.size
        if (self.last + 1, self.segment, end) != (following.first, following.segment, following.position):
            return None
        if following.last - self.first >= _JOINED_RECORDS or self.size + following.size > _JOINED_BYTES:
            return None
        return self._replace(last=following.last, size=self.size + following.size)

    def split(self, count: int) -> tuple["Extent", "Extent"]:
        """Return the first `count` records, and the others."""
        return self._replace(last=self.first + count - 1), self._replace(first=self.first + count)


def slot_directory(spool: Path, extent: Extent) -> Path:
    """Return the directory of the slot that an extent is in."""
    return spool / str(extent.first >> SLOT_SHIFT)


def read_extent(slot: Path, extent: Extent) -> list[Record]:
    """Read the records of an extent from the directory of its slot, in the order of their numbers.

    After a failed sync another segment has the records. So those that are not in their place are looked for in all.

    Raises:
        QueueUnavailableError: a record is damaged, or the disk cannot be read.
    """
    try:
        content = _read(path_of(slot, extent.segment), extent)
        records = decode_whole(content)
        if len(records) == extent.records and (records[0].number, records[-1].number) == (extent.first, extent.last):
            return records
        found = {record.number: record for record in _records(content, extent)}
        if len(found) < extent.records:
            found |= {record.number: record for record in _search(slot, extent)}
    except OSError as exc:
        raise QueueUnavailableError(f"The spool in {slot} cannot be read ({exc.strerror}).") from exc
    if len(found) < extent.records:
        raise QueueUnavailableError(
            f"{extent.records - len(found)} records of the spool in {slot} are damaged, from number {extent.first} on."
        )
    return [found[number] for number in sorted(found)]


def _read(path: Path, extent: Extent) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(extent.position)
            return file.read(extent.size)
    except FileNotFoundError:
        return b""  # another segment has its records


def _search(slot: Path, extent: Extent) -> Iterator[Record]:
    for path in slot.glob(f"*{SUFFIX}"):
        if path.stem.isdecimal() and int(path.stem) <= extent.last:
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # removed meanwhile, since all of it was acknowledged
            yield from _records(content, extent)


def _records(content: bytes, extent: Extent) -> Iterator[Record]:
    for item in decode_records(content):
        if isinstance(item, Record) and extent.first <= item.number <= extent.last:
            yield item
