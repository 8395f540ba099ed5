"""Canonical JSON: one text for each JSON value, by RFC 8785 (JCS) with all digits of 64-bit integers.

The text is a function of the value and not of its notation, because stores change the notation: members come back in
another order, and PostgreSQL returns -0.0 as 0.0. Two values have the same text exactly if `Event.same_content` finds
them equal, such as 5 and 5.0.

RFC 8785 writes every number as a double, which would give 2^53 and 2^53 + 1 one text. Here a number whose value is a
signed 64-bit integer is written with all its digits, whether it is an integer or a double. Every other number, and the
text of every event without numbers beyond 2^53, is that of RFC 8785.
"""

import re
from typing import Any, Final

import orjson

_FIRST_UNEQUAL: Final = 2.0**63
"""Doubles from here on are no signed 64-bit integers."""

_NUMBER_STARTS: Final = bytes.maketrans(b",[eE", b"::..")
_NUMERALS: Final = b"0123456789-"
_BEYOND_BMP: Final = re.compile(rb"[\xf0-\xf7]")  # first byte of four in UTF-8

# A double that orjson writes otherwise: with an exponent, or with .0 for an integer. Between 10^-5 and 10^16 all other
# doubles have the same text.
_OTHERWISE: Final = re.compile(rb"[:,\[]-?[0-9.]++(?:e|(?<=\.0)[,\]}])")
# Everything up to a double or the end, and the double. Strings and integers are skipped as a whole.
_DOUBLE: Final = re.compile(rb'((?:[^"0-9-]++|"(?:[^"\\]++|\\.)*+"?|-?[0-9]++(?![.e]))*+)(-?[0-9]++[.e][0-9e+-]*+)?')

_MAX_PLAIN_DIGITS: Final = 21
_MIN_PLAIN_POINT: Final = -6


def canonical(value: dict[str, Any] | list[Any]) -> bytes:
    """Return the canonical text of a JSON object or array, in UTF-8.

    Raises:
        orjson.JSONEncodeError: the value is not JSON, or has an integer beyond 64 bits or a lone surrogate.
    """
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    # orjson sorts names by code points. Beyond U+FFFF that is another order than that of UTF-16 code units.
    if not text.isascii() and _BEYOND_BMP.search(text):
        text = orjson.dumps(_ordered(value))
    # A double is a value with a point or an exponent after its digits. A string that looks like one only costs time.
    if b":." in text.translate(_NUMBER_STARTS, _NUMERALS) and _OTHERWISE.search(text):
        text = _DOUBLE.sub(_with_canonical_double, text)
    return text


def _ordered(value: Any) -> Any:
    """Return the value with the members of each object in canonical order (RFC 8785 section 3.2.3)."""
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


def _with_canonical_double(match: re.Match[bytes]) -> bytes:
    return match[1] + _encode_double(float(match[2])).encode() if match[2] else match[1]


def _encode_double(value: float) -> str:
    """Encode a double as ECMAScript does (RFC 8785 section 3.2.2.3), or as the 64-bit integer that it equals."""
    if value.is_integer() and -_FIRST_UNEQUAL <= value < _FIRST_UNEQUAL:
        return str(int(value))
    # repr has the shortest digits that identify the double, as ECMAScript requires; only the notation differs.
    sign = "-" if value < 0 else ""
    significand, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = significand.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(digits)
    point = len(whole) - leading_zeros + int(exponent or 0)  # position of the decimal point relative to the digits
    digits = digits.rstrip("0")
    if len(digits) <= point <= _MAX_PLAIN_DIGITS:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _MAX_PLAIN_DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _MIN_PLAIN_POINT < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
