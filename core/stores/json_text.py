"""JSON encoding for the databases: one text, exact decimals for PostgreSQL, folding for MySQL and MariaDB."""

import re
from typing import Any, Final

import orjson
from sqlalchemy import Dialect, TypeDecorator
from sqlalchemy.dialects.mysql import LONGTEXT

from core.errors import EventNotStorableError

# Strings and other numbers are matched as well, so that they are skipped.
_LARGE_DOUBLE: Final = re.compile(r'"(?:\\.|[^"\\]++)*+"?|(-?[0-9.]++e\+[0-9]++)|[0-9.]++')

_MAX_LEVELS: Final = 31
_FOLD: Final = "\0"
_UNNAMEABLE: Final = "-"


def to_json(value: Any) -> str:
    """Encode `value` as JSON.

    Raises:
        EventNotStorableError: JSON, or an integer of 64 bits, cannot represent it.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as exc:  # a TypeError, which callers would take for a bug
        raise EventNotStorableError("The event store cannot store a value of this event.") from exc


def to_decimal_json(value: Any) -> str:
    """Encode `value` as JSON in which every double of 1e16 or more is written out, such as 10000000000000000.0.

    PostgreSQL's jsonb stores a number as a decimal with the number of its fraction digits. It returns 1e16 as an
    integer, which is another value to other languages, and 1.2345678901234568e18 as 1234567890123456800, although the
    double is 1234567890123456768. Written out, a double comes back as the same double, and equals integers exactly.

    Raises:
        EventNotStorableError: see `to_json`.
    """
    text = to_json(value)
    return _LARGE_DOUBLE.sub(_written_out, text) if "e+" in text else text


def _written_out(match: re.Match[str]) -> str:
    return f"{int(float(match[1]))}.0" if match[1] else match[0]  # ten times as fast as ".1f"


class FoldedJSON(TypeDecorator[Any]):
    """JSON in a text column for MySQL and MariaDB, whose JSON functions read at most 100 and 31 levels of nesting.

    With one level more anywhere, MySQL fails the whole query and MariaDB finds nothing in that event. Values inside 31
    arrays and objects are therefore stored as a string: NUL followed by their JSON. A member name that begins with a
    hyphen, which MariaDB's paths cannot contain, is stored with NUL before it. Strings of events never contain NUL
    (`core.domain.strict_json` rejects it), so that both are distinct from all others.
    """

    impl = LONGTEXT
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002 - SQLAlchemy's signature
        """Encode a value for the database."""
        text = to_json(value)
        if "\\u0000" in text or '"-' in text or text.count("{") + text.count("[") > _MAX_LEVELS:
            return to_json(_fold(value, _MAX_LEVELS))
        return text

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Decode a value from the database."""
        decoded = orjson.loads(value or "null")
        return _unfold(decoded) if value and "\\u0000" in value else decoded


def stored_name(name: str) -> str:
    """Return the name of a member as `FoldedJSON` stores it."""
    return _FOLD + name if name.startswith(_UNNAMEABLE) else name


def _fold(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        if not levels:
            return _FOLD + to_json(value)
        return {stored_name(name): _fold(item, levels - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_fold(item, levels - 1) for item in value] if levels else _FOLD + to_json(value)
    if isinstance(value, str) and value.startswith(_FOLD):
        raise ValueError("a string begins with NUL")
    return value


def _unfold(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.removeprefix(_FOLD): _unfold(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_unfold(item) for item in value]
    if isinstance(value, str) and value.startswith(_FOLD):
        return orjson.loads(value.removeprefix(_FOLD))
    return value
