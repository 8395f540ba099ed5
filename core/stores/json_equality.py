"""Equality at one path inside a JSON column, by value and type: `true` is not 1 and "5" is not 5."""

import json
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_

from core.queries import DataFilter, JsonScalar


def json_equals(column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
    """SQLite's condition that `column` has one of the filter's values at the filter's path."""
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in data_filter.path)
    # The path is a bound parameter, like the value: nothing that a client sent is part of the statement.
    return or_(*(_is(column, path, value) for value in data_filter.values))


def _is(column: ColumnElement[Any], path: str, value: JsonScalar) -> ColumnElement[bool]:
    kind = func.json_type(column, path)
    if value is None or isinstance(value, bool):
        return kind == json.dumps(value)  # SQLite names these types like the JSON literals
    same_type = kind == "text" if isinstance(value, str) else kind.in_(["integer", "real"])
    return and_(same_type, func.json_extract(column, path) == value)
