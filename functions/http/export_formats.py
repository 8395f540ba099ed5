"""Events as the lines of a file, in the formats of an export."""

import csv
import io
from collections.abc import Callable
from typing import Final, Literal

from core.domain.models import Event

Format = Literal["ndjson", "csv"]
LineWriter = Callable[[Event], bytes]

MEDIA_TYPES: Final[dict[Format, str]] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}

_COLUMNS: Final = (
    "event_id", "event_type", "customer_id", "timestamp_utc", "received_at", "recorded_by", "event_data",
)  # fmt: skip
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def head(kind: Format) -> bytes:
    """What stands before the first event: the header row of CSV."""
    return _row(_COLUMNS) if kind == "csv" else b""


def line_writer(kind: Format) -> LineWriter:
    """What writes an event as one line of UTF-8, end of line included."""
    return _csv_line if kind == "csv" else _json_line


def _json_line(event: Event) -> bytes:
    return event.model_dump_json().encode() + b"\n"


def _csv_line(event: Event) -> bytes:
    """A record of RFC 4180; `event_data` is one cell of JSON."""
    fields = event.model_dump(mode="json", exclude={"event_data"})
    # Pydantic writes the whole event's JSON as NDJSON has it; only event_data of it is wanted here.
    data = event.model_dump_json(include={"event_data"}).removeprefix('{"event_data":').removesuffix("}")
    return _row([*(_inert(fields[column]) for column in _COLUMNS[:-1]), data])


def _inert(value: str | int) -> str | int:
    """A text that no spreadsheet takes for a formula; a number stays one.

    https://owasp.org/www-community/attacks/CSV_Injection: quoting alone does not help, it is gone once a cell is read.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value


def _row(cells: list[str | int] | tuple[str, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # its default dialect is that of RFC 4180
    return text.getvalue().encode()
