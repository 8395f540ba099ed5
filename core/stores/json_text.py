"""JSON as the databases keep it."""

from typing import Any, Final

import orjson
from sqlalchemy import Dialect, TypeDecorator
from sqlalchemy.dialects.mysql import LONGTEXT

from core.errors import EventNotStorableError

_LEVELS: Final = 31
_FOLD: Final = "\0"


def to_json(value: Any) -> str:
    """`value` as one JSON text.

    Raises:
        EventNotStorableError: JSON, or 64 bits, cannot hold it.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as exc:  # a TypeError, which beyond this place would pass for a bug
        raise EventNotStorableError("The event store refuses the event for what it holds.") from exc


class FoldedJSON(TypeDecorator[Any]):
    """JSON in a text column for MySQL and MariaDB, whose JSON functions look 100 and 31 levels deep and no deeper.

    One level too many anywhere, and MySQL fails the whole query while MariaDB finds nothing in that event. So what is
    inside of 31 arrays and objects is kept as a string: NUL and then its JSON. No string of an event begins with NUL
    (`core.domain.strict_json` refuses it), so each comes back as what it was, and is never taken for another one.
    """

    impl = LONGTEXT
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002 - SQLAlchemy's signature
        """To the database."""
        text = to_json(value)
        if "\\u0000" in text or text.count("{") + text.count("[") > _LEVELS:
            return to_json(_fold(value, _LEVELS))
        return text

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """From the database."""
        found = orjson.loads(value or "null")
        return _unfold(found) if value and "\\u0000" in value else found


def _fold(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {name: _fold(item, levels - 1) for name, item in value.items()} if levels else _FOLD + to_json(value)
    if isinstance(value, list):
        return [_fold(item, levels - 1) for item in value] if levels else _FOLD + to_json(value)
    if isinstance(value, str) and value.startswith(_FOLD):
        raise ValueError("a string begins with NUL")
    return value


def _unfold(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unfold(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_unfold(item) for item in value]
    if isinstance(value, str) and value.startswith(_FOLD):
        return orjson.loads(value.removeprefix(_FOLD))
    return value
