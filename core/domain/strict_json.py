"""JSON as an audit log must read it: what comes back later equals what was sent.

The standard parser is lenient where that matters: it takes NaN, turns 1e400 into infinity, keeps the last of two equal
names and hands on lone surrogates that no database stores. Everything refused here would otherwise be changed or lost
on its way to the store.
"""

import json
from typing import Any, Final, NoReturn

import orjson

from core.errors import MalformedJSONError

MAX_DEPTH: Final = 128
"""Arrays and objects inside each other, the outermost included."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
_MAX_INTEGER_DIGITS: Final = 20

_NEEDS_STRICT: Final = object()
_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_DIGITS: Final = b"0" * 19  # as many as 2^63 has


def loads(data: bytes) -> Any:
    """Parse one JSON text (RFC 8259) in UTF-8.

    Raises:
        MalformedJSONError: not UTF-8 or not JSON, or JSON with a repeated member name (RFC 7493 section 2.3), NaN or
            Infinity, a number outside signed 64-bit or double range, the NUL character, a lone surrogate (RFC 7493
            section 2.1), or nesting beyond `MAX_DEPTH`.
    """
    value = _fast_path(data)
    return _strict_loads(data) if value is _NEEDS_STRICT else value


def _fast_path(data: bytes) -> Any:
    """Decode with orjson where its leniency cannot matter; otherwise return `_NEEDS_STRICT`."""
    if b"\\u" in data or data.count(b"{") + data.count(b"[") > MAX_DEPTH or _LONG_DIGITS in data.translate(_DIGITS):
        return _NEEDS_STRICT  # only so can it hold NUL, surrogates, deep nesting and integers that become floats
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _NEEDS_STRICT  # for the standard parser to say why
    # Of two equal names one is lost, and its colon with it. Strings keep theirs: they come out as they went in.
    return value if orjson.dumps(value).count(b":") == data.count(b":") else _NEEDS_STRICT


def _strict_loads(data: bytes) -> Any:
    """What `loads` does, whatever the text holds, in more time.

    Raises:
        MalformedJSONError: see `loads`.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise MalformedJSONError(f"Not UTF-8: the byte at offset {exc.start} is out of place.") from exc
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise MalformedJSONError(f"Not JSON: {exc.msg} at line {exc.lineno} column {exc.colno}.") from exc
    except RecursionError as exc:
        raise _too_deep() from exc
    # Both checks walk the whole value in Python, so they run only where the text shows that they could find something:
    # depth needs that many opening brackets, NUL and surrogates can only come in as an escape.
    if "\\u" in text:
        _refuse_unstorable_text(value)
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _refuse_deep_nesting(value)
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJSONError("An object has the same member name twice: only one value could be kept.")
    return members


def _integer(digits: str) -> int:
    # The length first: int() of thousands of digits is slow, and beyond 4,300 it raises.
    if len(digits) <= _MAX_INTEGER_DIGITS:
        value = int(digits)
        if MIN_INTEGER <= value <= MAX_INTEGER:
            return value
    raise MalformedJSONError("An integer is outside the signed 64-bit range: send it as a string.")


def _double(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise MalformedJSONError("A number is too large for a double: send it as a string.")
    return value


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
                raise MalformedJSONError("A string holds the NUL character (\\u0000), which databases cannot store.")
            if not item.isascii() and any("\ud800" <= character <= "\udfff" for character in item):
                raise MalformedJSONError("A string holds half a surrogate pair (\\ud800 to \\udfff), which is no text.")


def _refuse_deep_nesting(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> MalformedJSONError:
    return MalformedJSONError(f"Arrays and objects are nested deeper than {MAX_DEPTH} levels.")
