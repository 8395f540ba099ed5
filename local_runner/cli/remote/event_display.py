"""Events as text for a terminal, with every character escaped that could deceive a reader."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from audit_log_client import Page, StoredEvent
from local_runner.cli import formatting, times

_INDENT: Final = "    "
_PLAIN_NAME: Final = re.compile(r"[^.\[\]\"\\=\s]+")
_PLAIN_VALUE: Final = re.compile(r"[^\"\\=\s]+")
_OTHER_JSON: Final = re.compile(r"true|false|null|-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|[\[{].*")
"""Reads as a JSON value that is no string, so that a string of this form needs its quotes."""


def as_line(event: StoredEvent) -> str:
    """Time, id, type, customer and data as JSON, on one line."""
    return f"{_head(event)}  {formatting.to_json(event['event_data'])}"


def as_block(event: StoredEvent, width: int | None) -> str:
    """Time, id, type and customer on a line, and below it the data as `PATH=VALUE`, as `--where` takes it.

    Lines are broken between values only, to fit into `width` columns; without a width there is one line of data.
    """
    lines = [""]
    for item in _items("", event["event_data"]):
        line = f"{lines[-1]}  {item}" if lines[-1] else item
        if width is not None and lines[-1] and len(_INDENT) + len(line) > width:
            lines.append(item)
        else:
            lines[-1] = line
    return "\n".join([_head(event), *(_INDENT + line for line in lines)])


def as_share(shown: int, page: Page) -> str:
    """How many of the matching events are shown, as far as a page of them says how many there are."""
    total = page["total_count"]
    if page["total_relation"] == "eq":
        return f"{shown:,} of {formatting.events(total)}"
    return (
        f"{shown:,} of at least {formatting.events(total)}"
        if total > shown
        else f"The first {formatting.events(shown)}"
    )


def _head(event: StoredEvent) -> str:
    time = times.to_second(datetime.fromtimestamp(event["timestamp_utc"], UTC))
    type_ = formatting.visible(event["event_type"])
    return f"{time}  {event['event_id']}  {type_}  customer {event['customer_id']}"


def _items(path: str, value: Any) -> Iterator[str]:
    """The values below a path. An array is one value."""
    if isinstance(value, dict) and value:
        for name, member in value.items():
            shown = formatting.to_json(name)[1:-1]
            step = shown if _PLAIN_NAME.fullmatch(shown) else formatting.to_json(name)
            yield from _items(f"{path}.{step}" if path else step, member)
    else:
        yield f"{path}={_value(value)}"


def _value(value: Any) -> str:
    shown = formatting.to_json(value)
    if not isinstance(value, str):
        return shown
    plain = shown[1:-1]
    return plain if _PLAIN_VALUE.fullmatch(plain) and not _OTHER_JSON.fullmatch(plain) else shown
