"""Export formats: events as lines of NDJSON or CSV."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from core.domain.models import Event

Format = Literal["ndjson", "csv"]
LineWriter = Callable[[Event], bytes]

MEDIA_TYPES: Final[dict[Format, str]] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}

_COLUMNS: Final = (
    "event_id", "event_type", "customer_id", "timestamp_utc", "received_at", "recorded_by", "event_data",
)  # fmt: skip
_ESCAPE: Final = "'"
_ESCAPED: Final = ("=", "+", "-", "@", "\t", "\r", "\n", _ESCAPE)


def head(kind: Format) -> bytes:
    """Return the text before the first event: the header row of CSV, nothing for NDJSON."""
    return _row(_COLUMNS) if kind == "csv" else b""


def line_writer(kind: Format) -> LineWriter:
    """Return the function that encodes an event as one line in UTF-8, including the line end."""
    return _csv_line if kind == "csv" else _json_line


def _json_line(event: Event) -> bytes:
    return event.model_dump_json().encode() + b"\n"


def _csv_line(event: Event) -> bytes:
    """Encode an event as a record of CSV (RFC 4180); times are in RFC 3339, and `event_data` is one field with JSON."""
    fields = event.model_dump(mode="json", exclude={"event_data"})
    fields["timestamp_utc"] = f"{datetime.fromtimestamp(event.timestamp_utc, UTC):%Y-%m-%dT%H:%M:%SZ}"
    # Pydantic encodes only a whole model. The JSON of event_data has to be the same as in NDJSON, so it is cut out.
    data = event.model_dump_json(include={"event_data"}).removeprefix('{"event_data":').removesuffix("}")
    return _row([*(_escape_formula(fields[column]) for column in _COLUMNS[:-1]), data])


def _escape_formula(value: str | int) -> str | int:
    """Put an apostrophe before a text that a spreadsheet would evaluate as a formula, or that begins with one.

    A reader restores a text by removing one apostrophe at its start, if it has any. CSV quoting does not help, since it
    is removed on reading: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"{_ESCAPE}{value}" if isinstance(value, str) and value.startswith(_ESCAPED) else value


def _row(cells: list[str | int] | tuple[str, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)  # its default dialect is that of RFC 4180
    return text.getvalue().encode()
