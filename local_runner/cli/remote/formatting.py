"""Events on a terminal."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Column, Table

from audit_log_client import StoredEvent

# Those that a terminal obeys, and those that turn the direction of what follows (Unicode's bidirectional controls).
_CONTROL: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def as_json(value: Any) -> str:
    """JSON on one line, with every character escaped that would change how a terminal shows the rest."""
    return _visible(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def as_line(event: StoredEvent) -> str:
    """When, what, whose, and all that is known."""
    return "  ".join(_cells(event))


def as_table(events: Iterable[StoredEvent]) -> Table:
    """The same as a table."""
    table = Table(
        Column("time (UTC)", no_wrap=True), "event type", "customer", Column("data", overflow="fold"), box=None
    )
    for event in events:
        table.add_row(*_cells(event))
    return table


def _cells(event: StoredEvent) -> tuple[str, str, str, str]:
    moment = datetime.fromtimestamp(event["timestamp_utc"], UTC)
    data = as_json(event["event_data"])
    return f"{moment:%Y-%m-%d %H:%M:%S}", _visible(event["event_type"]), str(event["customer_id"]), data
