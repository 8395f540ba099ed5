"""Writes an export to a file and reports its progress."""

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from audit_log_client import Api, Filters
from audit_log_client.api import Format

Progress = Callable[[float], None]


def export(api: Api, filters: Filters, kind: Format, output: BinaryIO, on_progress: Progress) -> int:
    """Write all matching events and return their number.

    `on_progress` is called with the written share of the time that the events span, from 0 to 1.
    """
    first, last = _span(api, filters)
    events = 0
    for part in api.export(filters, kind):
        output.write(part)
        lines = part.splitlines()
        events += len(lines)
        if lines:
            on_progress((_time(lines[-1], kind) - first) / max(last - first, 1))
    return events - (kind == "csv")  # the header row


def format_of(file: Path) -> Format:
    """Return the format that the name of a file stands for."""
    return "csv" if file.name.lower().removesuffix(".gz").endswith(".csv") else "ndjson"


def _span(api: Api, filters: Filters) -> tuple[int, int]:
    """The times of the oldest and the newest event. A total would cost more and is exact up to 10,000 only."""
    ends = [event for order in ("asc", "desc") for event in api.page(filters, order=order, limit=1)["events"]]
    return (ends[0]["timestamp_utc"], ends[-1]["timestamp_utc"]) if ends else (0, 0)


def _time(line: bytes, kind: Format) -> int:
    """The time of the event on the last line of a part; 0 for the header row, if there is no event."""
    if kind == "ndjson":
        time: int = json.loads(line)["timestamp_utc"]
        return time
    cell = next(csv.reader([line.decode()]))[3]
    return 0 if cell == "timestamp_utc" else int(datetime.fromisoformat(cell).timestamp())
