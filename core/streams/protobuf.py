"""The wire format of Protocol Buffers, as far as OTLP needs it: https://protobuf.dev/programming-guides/encoding/.

A message is the concatenation of its fields; each function returns one field.
"""

import struct
from collections.abc import Iterator
from typing import Final

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES: Final = {_FIXED64: 8, _FIXED32: 4}
_BITS_64: Final = (1 << 64) - 1
_MAX_VARINT_BYTES: Final = 10


def integer(number: int, value: int) -> bytes:
    """A field of the type int64, bool or enum. Of `value` the lower 64 bits count, so that it may be negative."""
    return _varint(number << 3 | _VARINT) + _varint(value & _BITS_64)


def fixed64(number: int, value: int) -> bytes:
    """A field of the type fixed64: 0 to 2**64 - 1."""
    return _varint(number << 3 | _FIXED64) + value.to_bytes(8, "little")


def double(number: int, value: float) -> bytes:
    """A field of the type double."""
    return _varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def length_delimited(number: int, value: bytes) -> bytes:
    """A field that is a message, or a text in UTF-8."""
    return _varint(number << 3 | _LENGTH) + _varint(len(value)) + value


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of the fields of a message: an integer, 0 to 2**64 - 1, or bytes for all other types.

    Raises:
        ValueError: the message is damaged, or has a group, which OTLP does not have.
    """
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _read_varint(message, place)
            yield number, value
            continue
        if kind == _LENGTH:
            size, place = _read_varint(message, place)
        elif kind in _FIXED_BYTES:
            size = _FIXED_BYTES[kind]
        else:
            raise ValueError("The message has a field of an unknown wire type.")
        if place + size > len(message):
            raise ValueError("The message is cut off.")
        yield number, message[place : place + size]
        place += size


def _varint(value: int) -> bytes:
    if value < 0x80:  # noqa: PLR2004 - one byte, as nearly all tags and lengths
        return value.to_bytes(1, "little")
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    """The integer at a place, and the place after it."""
    value = 0
    for count, byte in enumerate(message[place : place + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value & _BITS_64, place + count + 1
    raise ValueError("The message has an integer without an end.")
