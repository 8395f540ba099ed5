"""Reads a file of events, one JSON object per line, and gives each event an id that is the same when it is sent again.

The id is derived from the name of the file, the number of the line and its text (UUIDv5, RFC 9562 section 5.5).
Correcting a line or adding lines at the end leaves the ids of all other lines unchanged.
"""

import json
import uuid
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import uuid_utils

from audit_log_client.models import MAX_BATCH_EVENTS, MAX_EVENT_BYTES

_BATCH_BYTES: Final = 4 * 1024 * 1024
_NAMESPACE: Final = uuid.UUID("7d8bb7f4-7cf5-4d3e-9ab4-6c1a6df0a1c2")
_UNTIMED: Final = (
    "needs timestamp_utc or event_id: without them an equal line of another day would count as a repeat. Standard "
    "input needs neither."
)


@dataclass(slots=True)
class Batch:
    """Events to send in one request, with the numbers of their lines.

    `refused` has the reason by line number for lines that cannot be sent, `position` the bytes read so far.
    """

    numbers: list[int] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    position: int = 0


def batches(stream: BinaryIO, name: str | None) -> Iterator[Batch]:
    """Read the lines of `stream` that are not blank, in batches of a size that the service accepts.

    With the `name` of a file, events get lasting ids; without one, each reading makes new events of the lines.
    """
    batch, size, position = Batch(), 0, 0
    for number, line in enumerate(stream, 1):
        position += len(line)
        text = line.strip()
        if text:
            try:
                event = _identified(text, number, name)
            except ValueError as exc:
                batch.refused[number] = str(exc)
            else:
                if len(batch.events) == MAX_BATCH_EVENTS or size + len(event) > _BATCH_BYTES:
                    yield batch
                    batch, size = Batch(), 0
                batch.numbers.append(number)
                batch.events.append(event)
                size += len(event) + 1
        batch.position = position
    yield batch


def _identified(text: bytes, number: int, name: str | None) -> bytes:
    """Put an id in front of the fields of an event and leave the rest as written.

    A line that is no event is returned unchanged: the service rejects it by its own rules.

    Raises:
        ValueError: the line cannot be sent; the message says why.
    """
    text = text.removeprefix(BOM_UTF8)  # some programs begin their files with it
    if len(text) > MAX_EVENT_BYTES:
        raise ValueError(f"has {len(text)} bytes: the limit is {MAX_EVENT_BYTES}")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(event, dict) or not event or "event_id" in event:
        return text
    if name is None:
        event_id = str(uuid_utils.uuid7())
    elif "timestamp_utc" in event:
        event_id = str(uuid.uuid5(_NAMESPACE, f"{name}\n{number}\n{text.decode()}"))
    else:
        raise ValueError(_UNTIMED)
    return b'{"event_id":"%s",%s' % (event_id.encode(), text[1:])
