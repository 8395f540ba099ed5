"""Reads lines of NDJSON, compressed by gzip or not, and recognises JSON of other forms before anything is sent."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from core.domain.byte_order_mark import is_utf16, without_mark
from core.errors import AuditLogError

_GZIP: Final = b"\x1f\x8b"  # RFC 1952 section 2.3.1
_HEAD_BYTES: Final = 8192
_CSV: Final = b"event_id,event_type,"  # the heading of an export
_BATCH: Final = re.compile(rb'\{\s*"events"\s*:')


class EventFileError(AuditLogError):
    """The file does not have one event on each line, or is damaged. The message says how to convert it."""


def lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, without white space around them, and their numbers from 1.

    Raises:
        EventFileError: it is JSON of another form, or incomplete gzip.
    """
    source = cast(
        "io.BufferedReader", stream if hasattr(stream, "peek") else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    try:
        if source.peek(len(_GZIP)).startswith(_GZIP):
            source = cast("io.BufferedReader", gzip.GzipFile(fileobj=source))
        _require_lines(source.peek(_HEAD_BYTES)[:_HEAD_BYTES])
        for number, line in enumerate(source, 1):
            if text := line.strip():
                yield number, text
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise EventFileError("The file is damaged or incomplete gzip: get it again, then send it again.") from None


def _require_lines(head: bytes) -> None:
    """Check the beginning of a file."""
    if is_utf16(head):
        raise EventFileError(
            "The file is UTF-16, and has to be UTF-8. Nothing was sent. Convert it, for example by "
            "`iconv -f UTF-16 -t UTF-8 FILE > events.ndjson`, and send events.ndjson."
        )
    found = without_mark(head).split(maxsplit=0)
    if not found:
        return
    if found[0].startswith(b"["):
        raise _other_form("a JSON array", ".[]")
    if found[0].startswith(_CSV):
        raise EventFileError(
            "The file is CSV, as `audit-log export --format csv` writes it, and has to have one event on each line. "
            "Nothing was sent. Export the events again, by `audit-log export --output events.ndjson`, and send that."
        )
    if _BATCH.match(found[0]):
        raise _other_form('a batch of the form {"events": [...]}', ".events[]")
    first, _, rest = found[0].partition(b"\n")
    if first.startswith(b"{") and _goes_on(first.strip()) and rest.strip() and not rest.strip().startswith(b"{"):
        raise _other_form("JSON that is spread over several lines", ".")


def _goes_on(text: bytes) -> bool:
    """Whether a text is the beginning of longer JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as exc:
        return exc.pos >= len(exc.doc)
    except (ValueError, RecursionError):
        return False
    return False


def _other_form(form: str, jq: str) -> EventFileError:
    return EventFileError(
        f"The file is {form}, and has to have one event on each line. Nothing was sent. Convert it, for example by "
        f"`jq -c '{jq}' FILE > events.ndjson`, and send events.ndjson."
    )
