"""Detection of identical events, so that each is published once.

A redelivered message and a repeated event look the same to the event store if both were received in the same
millisecond, but only the repeat was accepted twice. Repeats within a millisecond are therefore found before publishing.
"""

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

from core.domain.models import Event

if TYPE_CHECKING:
    from datetime import datetime

_MAX_CONTENTS: Final = 8
"""Different contents of one id that are compared. Further ones are conflicts, of which a client has no use."""

_ByID = dict[str, tuple[Event, ...]]


class PublishedEvents:
    """Events that this process published with the latest receive time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._latest: tuple[datetime | None, _ByID] = (None, {})

    def split(self, events: Sequence[Event]) -> tuple[Sequence[Event], Sequence[Event]]:
        """Divide events into those to publish, and repeats of these or of remembered ones."""
        received_at, published = self._latest
        if len(events) == 1 and (events[0].received_at != received_at or events[0].event_id not in published):
            return events, ()
        new: list[Event] = []
        repeats: list[Event] = []
        known: _ByID = {}
        for event in events:
            contents = known.get(event.event_id)
            if contents is None:
                contents = published.get(event.event_id, ()) if event.received_at == received_at else ()
            if any(event.received_at == each.received_at and event.same_content(each) for each in contents):
                repeats.append(event)
            else:
                new.append(event)
                known[event.event_id] = (*contents, event)[:_MAX_CONTENTS]
        return new, repeats

    def remember(self, events: Sequence[Event]) -> None:
        """Remember published events, and forget those with another receive time than the last of them."""
        with self._lock:
            received_at, published = self._latest
            for event in events:
                if event.received_at != received_at:
                    received_at, published = event.received_at, {}
                published[event.event_id] = (*published.get(event.event_id, ()), event)[:_MAX_CONTENTS]
            self._latest = (received_at, published)
