"""Recently accepted events: recognises repeats without asking the store.

Accepting never waits for the store, which alone knows every event. A client repeats an event within seconds or minutes,
mostly to the same process, so the memory of that process finds most conflicts. The others are found by the store, after
the event was accepted: docs/decisions/0027-an-id-belongs-to-the-client-that-used-it-first.md

A repeat with the receive time of the event before it is not published: the store could not distinguish it from a
redelivered message, which counts as accepted once. Other repeats are published, since the store may have lost the first
event in the meantime, for example by a restore.

Only ids that the client can send again are remembered: an `event_id`, or one derived from an Idempotency-Key.
"""

import hashlib
import re
from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Any, Final, NamedTuple

import orjson

from core.domain.models import Event, has_default_time
from core.domain.origin import without_origin
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER

CAPACITY: Final = 32_768
"""Number of events that one process remembers."""

_DIGEST_BYTES: Final = 16
_INTEGRAL_FLOAT: Final = re.compile(rb"\.0|[0-9]e")
"""Occurs in the JSON of every float without a fraction, and in some other texts."""


class Content(NamedTuple):
    """What two events with one id must have in common, in a few bytes."""

    digest: bytes
    """Of type, customer and data, without the origin of an import."""
    timestamp_utc: int
    has_default_time: bool
    received_at: datetime
    """Not a part of the content: the receive time of the event that was published last."""

    @classmethod
    def of(cls, event: Event) -> "Content":
        """Return the content of an event."""
        fields = [event.event_type, event.customer_id, without_origin(event.event_data)]
        text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        if _INTEGRAL_FLOAT.search(text):
            text = orjson.dumps(_with_integers(fields), option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()
        return cls(digest, event.timestamp_utc, has_default_time(event), event.received_at)

    def equals(self, other: "Content") -> bool:
        """Return whether two events of one client have the same content, as `Event.same_content` defines it."""
        return self.digest == other.digest and (
            self.timestamp_utc == other.timestamp_utc or (self.has_default_time and other.has_default_time)
        )


class RecentEvents:
    """Content of the events that were published last, by client and id. Safe to use from several threads.

    The client is a part of the key, so the answer to one client reveals nothing about the events of another.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._contents: OrderedDict[tuple[str, str], Content] = OrderedDict()

    def find(self, client: str, event_id: str) -> Content | None:
        """Return the content of the first event of this client and id, if it is remembered."""
        return self._contents.get((client, event_id))

    def add(self, client: str, event_id: str, content: Content) -> None:
        """Remember a published event. Of one with its client and id the content stays. Forgets the oldest if full."""
        with self._lock:
            first = self._contents.get((client, event_id), content)
            self._contents[client, event_id] = first._replace(received_at=content.received_at)
            if len(self._contents) > self._capacity:
                self._contents.popitem(last=False)


def _with_integers(value: Any) -> Any:
    """Replace floats by equal integers: 5.0 and 5 are the same content."""
    if isinstance(value, dict):
        return {name: _with_integers(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    if isinstance(value, float) and value.is_integer() and MIN_INTEGER <= value <= MAX_INTEGER:
        return int(value)
    return value
