"""Following a service: every event once, soon after it is stored."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from audit_log_client import Api, Filters, StoredEvent, UnavailableError

OVERLAP: Final = 60
"""Seconds. Events are listed by their own time, not that of their coming: one that comes later than this is missed."""


class Follower:
    """Gives what came since the last look. `clock` is in Unix seconds, and near that of the service."""

    def __init__(self, api: Api, filters: Filters, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._filters = filters
        self._clock = clock
        self._since = int(clock()) - OVERLAP
        # By id the time of what was given and may be listed again.
        self._seen: dict[str, int] = {}

    def start(self, last: int) -> list[StoredEvent]:
        """The newest `last` events, the oldest of them first. Only what comes after them is given from now on."""
        self._new()
        newest = self._api.page(self._filters, limit=last)["events"][::-1] if last else []
        self._seen |= {event["event_id"]: event["timestamp_utc"] for event in newest}
        return newest

    def look(self) -> list[StoredEvent]:
        """What came since the last look that succeeded, however long ago that was.

        Raises:
            UnavailableError: the service does not answer; look again later.
        """
        return self._new()

    def _new(self) -> list[StoredEvent]:
        now = int(self._clock())
        listed = list(self._api.events(replace(self._filters, start=self._since), order="asc"))
        new = [event for event in listed if event["event_id"] not in self._seen]
        self._since = now - OVERLAP
        self._seen |= {event["event_id"]: event["timestamp_utc"] for event in new}
        self._seen = {event_id: at for event_id, at in self._seen.items() if at >= self._since}
        return new


def follow(follower: Follower, last: int, interval: float, on_outage: Callable[[str], None]) -> Iterator[StoredEvent]:
    """The newest events, and then without end what comes; `on_outage` is told once when the service goes away."""
    yield from follower.start(last)
    away = False
    while True:
        time.sleep(interval)
        try:
            new = follower.look()
        except UnavailableError as exc:
            if not away:
                on_outage(str(exc))
            away = True
        else:
            away = False
            yield from new
