"""Strict JSON decoder: rejects every document that would not come back from the store as it was sent.

Standard decoders are lenient: they accept NaN, turn 1e400 into infinity and 1e-400 into 0, drop digits beyond those of
a double, keep the last of two members with the same name, and pass on lone surrogates, which no database stores.

Two decoders give the same results. orjson is the faster one and decodes every document in which its leniency cannot
matter; the decoder of the standard library, with hooks, decodes all others and explains the errors.
"""

import json
import sys
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final, NoReturn

import orjson

from core.domain.byte_order_mark import is_utf16, without_mark
from core.errors import MalformedJSONError

MAX_DEPTH: Final = 128
"""Nesting levels of arrays and objects in an event, including the outermost."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
_MAX_INTEGER_DIGITS: Final = 20
_MAX_DOUBLE_DIGITS: Final = 17
_MAX_DOUBLE_CHARACTERS: Final = 1_100  # the longest exact expansion, that of the smallest doubles, has 1,077

_NEEDS_STRICT: Final = object()
_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_DIGITS: Final = b"0" * (_MAX_DOUBLE_DIGITS + 1)  # less than the digits of 2^63


def loads(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Decode one JSON text (RFC 8259) in UTF-8, with at most `max_depth` nesting levels.

    Raises:
        MalformedJSONError: not UTF-8 or not JSON, or JSON with a repeated member name (RFC 7493 section 2.3), NaN or
            Infinity, a number outside the range of signed 64-bit integers or doubles, a fraction with more digits than
            a double has (RFC 7493 section 2.2), the NUL character, a lone surrogate (RFC 7493 section 2.1), or more
            than `max_depth` nesting levels.
    """
    value = _fast_path(data, max_depth)
    return _strict_loads(data, max_depth) if value is _NEEDS_STRICT else value


def loads_encoded(data: bytes) -> Any:
    """Decode a text that orjson has most likely encoded, in two thirds of the time of `loads`.

    What orjson encodes to the same text again has lost nothing in its decoder. NUL it keeps, as an escape. Depth and
    integers have the limits of orjson, 254 levels and 2^64 - 1, beyond which the stores refuse an event.

    Raises:
        MalformedJSONError: see `loads`.
    """
    with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):
        value = orjson.loads(data)
        if orjson.dumps(value) == data and b"\\u0000" not in data:
            return value
    return _strict_loads(data)


def _fast_path(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Decode with orjson, or return `_NEEDS_STRICT` if the document may be one of those that orjson reads differently.

    Raises:
        MalformedJSONError: more than `max_depth` nesting levels.
    """
    # NUL and surrogates need an escape. A number that orjson changes has many digits, or an exponent that underflows.
    digits = data.translate(_DIGITS, b".")
    if b"\\u" in data or _LONG_DIGITS in digits or b"0e-000" in digits or b"0E-000" in digits:
        return _NEEDS_STRICT
    try:
        value = orjson.loads(data)
        colons = orjson.dumps(value).count(b":")
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # invalid, or too deep for orjson
        return _NEEDS_STRICT
    # A repeated member name loses one member, and its colon with it. Colons inside strings are the same in both texts.
    if colons != data.count(b":"):
        return _NEEDS_STRICT
    if data.count(b"{") + data.count(b"[") > max_depth:
        _refuse_deep_nesting(value, max_depth)
    return value


def _strict_loads(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Decode any document as `loads` does, with the standard library.

    Raises:
        MalformedJSONError: see `loads`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        hint = "; the text is UTF-16, save it as UTF-8" if is_utf16(data) else ""
        raise MalformedJSONError(f"Not UTF-8: invalid byte at offset {exc.start}{hint}.") from exc
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        if without_mark(data) != data:
            raise MalformedJSONError(
                "Not JSON: it begins with a byte order mark: save it as UTF-8 without one."
            ) from exc
        if not text.strip():
            raise MalformedJSONError("Not JSON: it is empty.") from exc
        raise MalformedJSONError(
            f"Not JSON: {exc.msg.removesuffix(' at')} at line {exc.lineno} column {exc.colno}."
        ) from exc
    except RecursionError as exc:
        raise _too_deep(max_depth) from exc
    # Both checks visit every value, so they run only if the text can fail them: NUL and surrogates need an escape, and
    # depth needs as many opening brackets.
    if "\\u" in text:
        _refuse_unstorable_text(value)
    if text.count("{") + text.count("[") > max_depth:
        _refuse_deep_nesting(value, max_depth)
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJSONError("An object has the same member name twice: only one value could be kept.")
    return members


def _integer(digits: str) -> int:
    # Check the length first: int() is slow for thousands of digits, and raises beyond 4,300.
    if len(digits) <= _MAX_INTEGER_DIGITS:
        value = int(digits)
        if MIN_INTEGER <= value <= MAX_INTEGER:
            return value
    raise MalformedJSONError("An integer is outside the signed 64-bit range: send it as a string.")


def _double(text: str) -> float:
    value = float(text) if len(text) <= _MAX_DOUBLE_CHARACTERS else 0.0
    if value in (float("inf"), float("-inf")):
        raise MalformedJSONError("A number is too large for a double: send it as a string.")
    if len(text) > _MAX_DOUBLE_DIGITS or abs(value) < sys.float_info.min:
        _refuse_lost_digits(text, value)
    return value


def _refuse_lost_digits(text: str, value: float) -> None:
    """Refuse a number if the double would lose digits of it.

    17 significant digits identify every double (IEEE 754-2019 section 5.12.2), so up to 17 are taken as a way to write
    the nearest one. More are taken if the double has exactly these digits, as the output of `%.20f` for 0.1.
    """
    digits = text.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    if not digits or (len(digits) <= _MAX_DOUBLE_DIGITS and abs(value) >= sys.float_info.min):
        return
    if not value or Decimal(f"{value:.{len(digits) - 1}e}") != Decimal(text):
        raise MalformedJSONError("A number has more digits than a double can hold: send it as a string.")


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJSONError(f"{name} is not JSON: send null or a string.")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_members, parse_int=_integer, parse_float=_double, parse_constant=_refuse_constant
)


def _refuse_unstorable_text(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str):
            if "\x00" in item:
                raise MalformedJSONError(
                    "A string contains the NUL character (\\u0000), which databases cannot store: remove it."
                )
            if not item.isascii() and any("\ud800" <= character <= "\udfff" for character in item):
                raise MalformedJSONError(
                    "A string contains a lone surrogate (\\ud800 to \\udfff), which is not a character: remove it."
                )


def _refuse_deep_nesting(value: Any, max_depth: int) -> None:
    level = [value]
    for _ in range(max_depth):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) is dict or type(child) is list  # isinstance takes three times as long
        ]
        if not level:
            return
    raise _too_deep(max_depth)


def _too_deep(max_depth: int) -> MalformedJSONError:
    return MalformedJSONError(f"Arrays and objects are nested deeper than {max_depth} levels: flatten them.")
