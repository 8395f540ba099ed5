"""Canonical JSON: one text for each JSON value, by RFC 8785 (JCS) with all digits of 64-bit integers.

The text is a function of the value and not of its notation, because stores change the notation: members come back in
another order, and PostgreSQL returns -0.0 as 0.0. Two values have the same text exactly if `Event.same_content` finds
them equal, such as 5 and 5.0.

RFC 8785 writes every number as a double, which would give 2^53 and 2^53 + 1 one text. Here a number whose value is a
signed 64-bit integer is written with all its digits, whether it is an integer or a double. Every other number, and the
text of every event without numbers beyond 2^53, is that of RFC 8785.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson

_FIRST_UNEQUAL: Final = 2.0**63
"""Doubles from here on are no signed 64-bit integers."""

_BEYOND_BMP: Final = re.compile(rb"[\xf0-\xf7]")  # first byte of four in UTF-8
_INTEGRAL_DOUBLE: Final = re.compile(rb"\.0[,}\]]")
# These leave :. of a double, whether it is a member, or first or later in an array.
_VALUE_STARTS: Final = bytes.maketrans(b",[", b"::")
# All but these signs of a double, quotes, and the letters before e in true and false.
_NO_SIGNS: Final = bytes(set(range(256)) - set(b':,[".esu'))
# Everything up to a double with an exponent or the end, and the double. Strings and other numbers are skipped whole.
# The last alternative is one repeat, which fails where it begins: before 3.11.5, Python does not go back to the start
# of a possessive repeat's last, failed round (CPython issue 106052), and would skip the double.
_EXPONENT: Final = re.compile(rb'((?:"(?:\\.|[^"\\]++)*+"?|-?[0-9.]++(?!e)|[^"0-9-]++)*+)(-?[0-9.]++e[0-9+-]++)?')

_MAX_PLAIN_DIGITS: Final = 21
_MIN_PLAIN_POINT: Final = -6


def canonical(value: dict[str, Any] | list[Any]) -> bytes:
    """Return the canonical text of a JSON object or array, in UTF-8.

    Raises:
        orjson.JSONEncodeError: the value is not JSON, or has an integer beyond 64 bits or a lone surrogate.
    """
    return canonical_texts([value])[0]


def canonical_texts(values: Sequence[dict[str, Any] | list[Any]]) -> list[bytes]:
    """Return the canonical text of each value, see `canonical`.

    orjson's text is mostly canonical. That is checked for all texts at once, which takes a fraction of the time of
    checking each.
    """
    texts = list(map(_sorted_text, values))
    joined = b"\n".join(texts)
    # Skeletons have :.e or :e for a double with an exponent, and :. for others. Strings like that only cost time.
    skeleton = joined.translate(_VALUE_STARTS, _NO_SIGNS)
    if b":." in skeleton and _INTEGRAL_DOUBLE.search(joined):
        texts = [_without_integral_doubles(text, value) for text, value in zip(texts, values, strict=True)]
    if not joined.isascii() and _BEYOND_BMP.search(joined):
        texts = [_in_order(text) for text in texts]
    if b":e" in skeleton or b":.e" in skeleton:
        texts = [_EXPONENT.sub(_with_canonical_double, text) for text in texts]
    return texts


def _sorted_text(value: Any) -> bytes:
    # A copy, since orjson gives each text a kilobyte that it shrinks afterwards: texts that are kept would each touch
    # memory that the process has not used yet, and those page faults take longer than all the rest.
    return b"%b" % orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _without_integral_doubles(text: bytes, value: Any) -> bytes:
    """Write integers without .0, as ECMAScript does."""
    if _INTEGRAL_DOUBLE.search(text):
        return _sorted_text(_with_integers(value))
    return text


def _with_integers(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {name: _with_integers(item) for name, item in value.items()}
    if kind is list:
        return [_with_integers(item) for item in value]
    return int(value) if kind is float and _is_64_bit_integer(value) else value


def _in_order(text: bytes) -> bytes:
    """Sort members by UTF-16 code units (RFC 8785 section 3.2.3); orjson sorts by code points."""
    return orjson.dumps(_ordered(orjson.loads(text))) if _BEYOND_BMP.search(text) else text


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


def _with_canonical_double(match: re.Match[bytes]) -> bytes:
    return match[1] + encode_double(float(match[2])).encode() if match[2] else match[1]


def _is_64_bit_integer(value: float) -> bool:
    return value.is_integer() and -_FIRST_UNEQUAL <= value < _FIRST_UNEQUAL


def encode_double(value: float) -> str:
    """Encode a double as ECMAScript does (RFC 8785 section 3.2.2.3), or as the 64-bit integer that it equals."""
    if _is_64_bit_integer(value):
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
