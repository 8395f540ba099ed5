"""Reads a file of events, one JSON object per line, and gives each event an id that is the same when it is sent again.

The id is derived from the name of the file, the number of the line and its text (UUIDv5, RFC 9562 section 5.5).
Correcting a line or adding lines at the end leaves the ids of all other lines unchanged.

Lines of an export become imports: they keep their ids, and their `received_at` and `recorded_by` become the origin in
`event_data` (`core.domain.origin`). Events that a service recorded about itself are skipped.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import uuid_utils

from audit_log_client.models import MAX_BATCH_EVENTS, MAX_EVENT_BYTES
from core.domain import strict_json
from core.domain.byte_order_mark import without_mark
from core.domain.models import RESERVED_PREFIX
from core.domain.origin import add_origin
from core.errors import MalformedJSONError
from local_runner.cli.remote.event_stream import lines

_BATCH_BYTES: Final = 4 * 1024 * 1024
_NAMESPACE: Final = uuid.UUID("7d8bb7f4-7cf5-4d3e-9ab4-6c1a6df0a1c2")
_REMEMBERED_IDS: Final = 100_000
_UNTIMED: Final = (
    "needs timestamp_utc or event_id: without them an equal line of another day would count as a repeat. Standard "
    "input needs neither."
)


@dataclass(slots=True)
class Batch:
    """Events to send in one request, with the numbers of their lines.

    `refused` has the reason by line number for lines that cannot be sent. `repeated` has the indexes of
    events with the id of an earlier line. `skipped` counts events that a service recorded about itself.
    """

    numbers: list[int] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    repeated: set[int] = field(default_factory=set)
    skipped: int = 0


class _OwnEventError(Exception):
    """An exported event that a service recorded about itself."""


def batches(stream: BinaryIO, name: str | None) -> Iterator[Batch]:
    """Read the lines of `stream` that are not blank, in batches of a size that the service accepts.

    With the `name` of a file, events get lasting ids; without one, each reading makes new events of the lines.

    Raises:
        EventFileError: the file is not NDJSON, or damaged.
    """
    batch, size = Batch(), 0
    seen: dict[str, None] = {}
    for number, text in lines(stream):
        try:
            event, own_id = _prepared(text, number, name)
        except _OwnEventError:
            batch.skipped += 1
            continue
        except ValueError as exc:
            batch.refused[number] = str(exc)
            continue
        if len(batch.events) == MAX_BATCH_EVENTS or size + len(event) > _BATCH_BYTES:
            yield batch
            batch, size = Batch(), 0
        batch.numbers.append(number)
        batch.events.append(event)
        size += len(event) + 1
        if own_id is not None:
            if own_id in seen:
                batch.repeated.add(len(batch.events) - 1)
            seen[own_id] = None
            if len(seen) > _REMEMBERED_IDS:
                del seen[next(iter(seen))]
    yield batch


def _prepared(text: bytes, number: int, name: str | None) -> tuple[bytes, str | None]:
    """Return a line as it is sent, and its event_id if it has one.

    A line that is no event is returned unchanged: the service rejects it by its own rules.

    Raises:
        _OwnEventError: the line is skipped.
        ValueError: the line cannot be sent; the message says why.
    """
    text = without_mark(text)
    if len(text) > 2 * MAX_EVENT_BYTES:
        raise ValueError(f"has {len(text)} bytes: the limit of the service is {MAX_EVENT_BYTES}")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return text, None
    if not isinstance(event, dict) or not event:
        return text, None
    if "event_id" in event:
        is_exported = {"event_data", "received_at", "recorded_by"} <= event.keys()
        return _imported(text) if is_exported else text, str(event["event_id"])
    if name is None:
        event_id = str(uuid_utils.uuid7())
    elif "timestamp_utc" in event:
        event_id = str(uuid.uuid5(_NAMESPACE, f"{name}\n{number}\n{text.decode()}"))
    else:
        raise ValueError(_UNTIMED)
    return b'{"event_id":"%s",%s' % (event_id.encode(), text[1:]), None


def _imported(text: bytes) -> bytes:
    """Return an exported event as a new one with its origin. One that the service will reject is returned unchanged."""
    try:
        exported: Any = strict_json.loads(text)
    except MalformedJSONError:
        return text
    if str(exported.get("event_type")).startswith(RESERVED_PREFIX):
        raise _OwnEventError
    received_at, recorded_by = exported.pop("received_at"), exported.pop("recorded_by")
    exported.pop("proof", None)  # of an archive
    if not isinstance(exported["event_data"], dict):
        return text
    exported["event_data"] = add_origin(exported["event_data"], received_at, recorded_by)
    return json.dumps(exported, ensure_ascii=False, separators=(",", ":")).encode()
