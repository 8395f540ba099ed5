import struct
import zlib

import pytest

from local_runner.spool.records import (
    ACK_BYTES,
    MAGIC,
    RECORD_OVERHEAD,
    Damage,
    Record,
    decode_acks,
    decode_records,
    decode_whole,
    encode_ack,
    encode_record,
    header,
    version_of,
)

RECORDS = [
    Record(7, 1700000000.25, b'{"a":1}'),
    Record(8, 1700000000.5, b"{}"),
    Record(9, 1700000001.0, b'{"b":"\xc3\xa9"}'),
]
FRAMES = [encode_record(*record) for record in RECORDS]
SEGMENT = header() + b"".join(FRAMES)


def kept(content: bytes) -> list[Record]:
    return [found for found in decode_records(content) if isinstance(found, Record)]


def damaged(content: bytes) -> list[Damage]:
    return [found for found in decode_records(content) if isinstance(found, Damage)]


def test_the_layout_of_version_1_does_not_change() -> None:
    """Byte by byte as the package describes it: spools of earlier releases have to stay readable."""
    assert header() == b"audit-log spool 1 1ecd9c49\n"
    magic, crc, length, number, sent_at = struct.unpack(">4sIIQd", FRAMES[0][:28])
    assert (magic, length, number, sent_at, FRAMES[0][28:]) == (b"\xffAL\xff", 7, 7, 1700000000.25, b'{"a":1}')
    assert crc == zlib.crc32(FRAMES[0][8:])
    first, last, crc = struct.unpack(">QQI", encode_ack(1, 5))
    assert (first, last, crc) == (1, 5, zlib.crc32(encode_ack(1, 5)[:16]))


def test_a_segment_is_read_as_it_was_written() -> None:
    assert list(decode_records(SEGMENT)) == RECORDS
    assert len(FRAMES[1]) == RECORD_OVERHEAD + 2


def test_no_text_holds_a_magic_number() -> None:
    with pytest.raises(UnicodeDecodeError):
        MAGIC.decode()


@pytest.mark.parametrize("cut", range(1, len(FRAMES[-1])))
def test_a_record_that_is_cut_off_anywhere_is_damage_and_those_before_it_are_kept(cut: int) -> None:
    assert list(decode_records(SEGMENT[:-cut])) == [
        *RECORDS[:2],
        Damage(len(SEGMENT) - len(FRAMES[2]), FRAMES[2][:-cut]),
    ]


@pytest.mark.parametrize("position", range(len(header()), len(SEGMENT)))
def test_a_flipped_bit_costs_the_record_that_it_is_in_and_no_other(position: int) -> None:
    for bit in range(8):
        content = bytearray(SEGMENT)
        content[position] ^= 1 << bit

        records = kept(bytes(content))

        assert (len(records), set(records) < set(RECORDS)) == (2, True)
        ((start, stretch),) = damaged(bytes(content))
        assert (start <= position < start + len(stretch), stretch) == (
            True,
            bytes(content[start : start + len(stretch)]),
        )


@pytest.mark.parametrize("position", range(len(header())))
def test_a_flipped_bit_in_the_header_costs_no_record_and_makes_no_other_version(position: int) -> None:
    for bit in range(8):
        content = bytearray(SEGMENT)
        content[position] ^= 1 << bit

        assert version_of(bytes(content)) is None
        assert list(decode_records(bytes(content))) == [Damage(0, bytes(content[: len(header())])), *RECORDS]


def test_zeros_behind_the_last_record_are_one_damage() -> None:
    assert list(decode_records(SEGMENT + bytes(4096))) == [*RECORDS, Damage(len(SEGMENT), bytes(4096))]


def test_a_part_of_a_record_between_records_is_damage() -> None:
    content = header() + FRAMES[0] + FRAMES[1][:20] + FRAMES[2]

    assert list(decode_records(content)) == [
        RECORDS[0],
        Damage(len(header()) + len(FRAMES[0]), FRAMES[1][:20]),
        RECORDS[2],
    ]


@pytest.mark.parametrize("content", [b"", header(), header()[:5], bytes(100), b"something else"])
def test_a_file_without_records_has_none(content: bytes) -> None:
    assert kept(content) == []
    assert b"".join(damage.content for damage in damaged(content)) == (b"" if content == header() else content)


def test_a_header_names_its_version() -> None:
    assert [version_of(header()), version_of(header(2)), version_of(header(12) + b"more")] == [1, 2, 12]


def test_acknowledgements_are_read_as_they_were_written() -> None:
    assert list(decode_acks(encode_ack(1, 5) + encode_ack(9, 9))) == [(1, 5), (9, 9)]


@pytest.mark.parametrize("position", range(ACK_BYTES))
def test_a_damaged_acknowledgement_acknowledges_nothing(position: int) -> None:
    content = bytearray(encode_ack(1, 5) + encode_ack(7, 8))
    content[position] ^= 4

    assert list(decode_acks(bytes(content))) == [Damage(0, bytes(content[:ACK_BYTES])), (7, 8)]


def test_zeros_and_half_an_acknowledgement_acknowledge_nothing() -> None:
    assert list(decode_acks(bytes(ACK_BYTES) + encode_ack(1, 5)[:9])) == [
        Damage(0, bytes(ACK_BYTES)),
        Damage(ACK_BYTES, encode_ack(1, 5)[:9]),
    ]


def test_whole_records_are_decoded_up_to_the_first_damage() -> None:
    encoded = [encode_record(number, 1.5, b"payload %d" % number) for number in range(1, 4)]
    part = b"".join(encoded)
    records = [Record(number, 1.5, b"payload %d" % number) for number in range(1, 4)]
    assert decode_whole(part) == records == [*decode_records(part)]
    for position in range(len(part)):
        damaged = bytearray(part)
        damaged[position] ^= 1
        assert decode_whole(bytes(damaged)) == records[: position // len(encoded[0])]
    assert decode_whole(part[:-1]) == records[:2]
    assert decode_whole(b"") == []
