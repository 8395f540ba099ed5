"""The format of the spool's files, as pure functions of bytes.

A segment (`*.log`) is a header line and then records, each a magic number, the CRC-32 of all that follows, the length
of the payload, the event's number, when it was accepted, and the payload, the event's JSON in UTF-8. Beside it, notes
(`*.settled`) of fixed size say which numbers are dealt with. Integers are unsigned, all numbers big-endian.
"""

import re
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

VERSION: Final = 1
MAGIC: Final = b"\xffAL\xff"
"""Begins a record. The byte 0xFF never occurs in UTF-8: no payload can hold a magic number, let alone a record."""

_PREFIX: Final = Struct(">4sII")  # magic, CRC-32, length of the payload
_CHECKED: Final = Struct(">IQd")  # length again as part of what is checked, number, Unix seconds
_CHECKED_FROM: Final = _PREFIX.size - 4
RECORD_OVERHEAD: Final = _CHECKED_FROM + _CHECKED.size
"""Bytes of a record beside its payload."""

_NOTE: Final = Struct(">QQI")  # first and last number, CRC-32 of both
_RANGE: Final = Struct(">QQ")
NOTE_BYTES: Final = _NOTE.size

_HEADER: Final = re.compile(rb"(audit-log spool ([0-9]{1,9})) ([0-9a-f]{8})\n")


class Record(NamedTuple):
    """An event as spooled; `sent_at` in Unix seconds."""

    number: int
    sent_at: float
    payload: bytes


class Damage(NamedTuple):
    """A stretch of a file that is no record, from `position` on."""

    position: int
    content: bytes


def header(version: int = VERSION) -> bytes:
    """The first line of a segment. It is checked, so that a flipped bit does not pass for a later version."""
    line = b"audit-log spool %d" % version
    return b"%s %08x\n" % (line, crc32(line))


def version_of(segment: bytes) -> int | None:
    """The version that a segment's first line names; None: it is damaged."""
    match = _HEADER.match(segment)
    return int(match[2]) if match and crc32(match[1]) == int(match[3], 16) else None


def encode_record(number: int, sent_at: float, payload: bytes) -> bytes:
    """One record."""
    checked = _CHECKED.pack(len(payload), number, sent_at)
    return b"".join((MAGIC, crc32(payload, crc32(checked)).to_bytes(4, "big"), checked, payload))


def scan(segment: bytes) -> Iterator[Record | Damage]:
    """All records of a segment in their order, and what lies between, before and behind them."""
    position = segment.index(b"\n") + 1 if version_of(segment) is not None else 0
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


def note(first: int, last: int) -> bytes:
    """A note that the numbers from `first` to `last` are settled."""
    numbers = _RANGE.pack(first, last)
    return numbers + crc32(numbers).to_bytes(4, "big")


def noted(notes: bytes) -> Iterator[tuple[int, int] | Damage]:
    """First and last number of each note, and what is no note."""
    for position in range(0, len(notes), NOTE_BYTES):
        content = notes[position : position + NOTE_BYTES]
        if len(content) == NOTE_BYTES and crc32(content[: _RANGE.size]) == _NOTE.unpack(content)[2]:
            yield _RANGE.unpack_from(content)
        else:
            yield Damage(position, content)


def contiguous_ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of numbers without a gap: what notes are made of."""
    ordered = sorted(numbers)
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index] > ordered[index - 1] + 1:
            yield ordered[start], ordered[index - 1]
            start = index


def _end_of_record(segment: bytes, view: memoryview, position: int) -> int | None:
    if position + RECORD_OVERHEAD > len(segment):
        return None
    magic, checksum, length = _PREFIX.unpack_from(segment, position)
    end = position + RECORD_OVERHEAD + int(length)
    if magic != MAGIC or end > len(segment) or crc32(view[position + _CHECKED_FROM : end]) != checksum:
        return None
    return end


def _next_record(segment: bytes, view: memoryview, position: int) -> int:
    """Where the next record begins behind a damaged place, or the end."""
    while (position := segment.find(MAGIC, position + 1)) >= 0:
        if _end_of_record(segment, view, position) is not None:
            return position
    return len(segment)
