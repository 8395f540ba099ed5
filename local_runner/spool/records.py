"""Encodes and decodes the files of the spool, as pure functions of bytes. The layout is described in the package."""

import re
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

VERSION: Final = 1
SLOT_SHIFT: Final = 48
"""A sequence number is the number of its slot, shifted left by so many bits, plus a count that begins with 1."""

MAGIC: Final = b"\xffAL\xff"
"""The first bytes of a record. 0xFF does not occur in UTF-8, so no payload contains a magic number or a record."""

_PREFIX: Final = Struct(">4sII")  # magic, CRC-32, length of the payload
_CHECKED: Final = Struct(">IQd")  # the length again, since the CRC covers it, sequence number, Unix seconds
_RECORD: Final = Struct(">4sIIQd")  # both
_CHECKED_FROM: Final = _PREFIX.size - 4
RECORD_OVERHEAD: Final = _CHECKED_FROM + _CHECKED.size
"""Bytes of a record without its payload."""

_ACK: Final = Struct(">QQI")  # first and last sequence number, CRC-32 of both
_RANGE: Final = Struct(">QQ")
ACK_BYTES: Final = _ACK.size

_HEADER: Final = re.compile(rb"(audit-log spool ([0-9]{1,9})) ([0-9a-f]{8})\n")


class Record(NamedTuple):
    """A spooled event: its sequence number, its time of acceptance in Unix seconds, and its JSON in UTF-8."""

    number: int
    sent_at: float
    payload: bytes


class Damage(NamedTuple):
    """Consecutive bytes of a file that decode to nothing, from `position` on."""

    position: int
    content: bytes


def header(version: int = VERSION) -> bytes:
    """Return the first line of a segment. Its CRC keeps a flipped bit from passing for a later version."""
    line = b"audit-log spool %d" % version
    return b"%s %08x\n" % (line, crc32(line))


def version_of(segment: bytes) -> int | None:
    """Return the version in a segment's header, or None if the header is damaged or missing."""
    match = _HEADER.match(segment)
    return int(match[2]) if match and crc32(match[1]) == int(match[3], 16) else None


def encode_record(number: int, sent_at: float, payload: bytes) -> bytes:
    """Return the bytes of one record."""
    checked = _CHECKED.pack(len(payload), number, sent_at)
    return b"".join((MAGIC, crc32(payload, crc32(checked)).to_bytes(4, "big"), checked, payload))


def decode_records(segment: bytes) -> Iterator[Record | Damage]:
    """Yield the records of a segment in file order, and each stretch between them that is no record."""
    position = records_from(segment)
    view = memoryview(segment)
    while position < len(segment):
        end = _end_of_record(segment, view, position)
        if end is None:
            end = _next_record(segment, view, position)
            yield Damage(position, segment[position:end])
        else:
            _, number, sent_at = _CHECKED.unpack_from(segment, position + _CHECKED_FROM)
            yield Record(number, sent_at, segment[position + RECORD_OVERHEAD : end])
        position = end


def records_from(segment: bytes) -> int:
    """Return the position behind the header of a segment: 0 if that is damaged, or if this is a part without it."""
    return segment.index(b"\n") + 1 if version_of(segment) is not None else 0


def decode_whole(part: bytes) -> list[Record]:
    """Return the records at the beginning of a part of a segment, up to the first bytes that are none."""
    records: list[Record] = []
    view = memoryview(part)
    position, length_of_all = 0, len(part)
    while position + RECORD_OVERHEAD <= length_of_all:
        magic, checksum, length, number, sent_at = _RECORD.unpack_from(part, position)
        start = position + RECORD_OVERHEAD
        end = start + length
        if magic != MAGIC or end > length_of_all or crc32(view[position + _CHECKED_FROM : end]) != checksum:
            break
        records.append(Record(number, sent_at, part[start:end]))
        position = end
    return records


def encode_ack(first: int, last: int) -> bytes:
    """Return the bytes of an acknowledgement of the numbers from `first` to `last`, both inclusive."""
    numbers = _RANGE.pack(first, last)
    return numbers + crc32(numbers).to_bytes(4, "big")


def decode_acks(content: bytes) -> Iterator[tuple[int, int] | Damage]:
    """Yield the first and last number of each acknowledgement in file order, and each damaged one as `Damage`."""
    for position in range(0, len(content), ACK_BYTES):
        ack = content[position : position + ACK_BYTES]
        if len(ack) == ACK_BYTES and crc32(ack[: _RANGE.size]) == _ACK.unpack(ack)[2]:
            yield _RANGE.unpack_from(ack)
        else:
            yield Damage(position, ack)


def contiguous_ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last number of each run without a gap, ascending: one acknowledgement each."""
    ordered = sorted(numbers)
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index] > ordered[index - 1] + 1:
            yield ordered[start], ordered[index - 1]
            start = index


def _end_of_record(segment: bytes, view: memoryview, position: int) -> int | None:
    """Return the position behind the record at `position`, or None if there is no intact record."""
    if position + RECORD_OVERHEAD > len(segment):
        return None
    magic, checksum, length = _PREFIX.unpack_from(segment, position)
    end = position + RECORD_OVERHEAD + int(length)
    if magic != MAGIC or end > len(segment) or crc32(view[position + _CHECKED_FROM : end]) != checksum:
        return None
    return end


def _next_record(segment: bytes, view: memoryview, position: int) -> int:
    """Return the position of the first intact record behind `position`, or the end of the segment."""
    while (position := segment.find(MAGIC, position + 1)) >= 0:
        if _end_of_record(segment, view, position) is not None:
            return position
    return len(segment)
