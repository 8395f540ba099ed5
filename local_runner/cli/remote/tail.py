"""Follows a service: yields each event once, soon after it is stored."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from audit_log_client import Api, Filters, StoredEvent, UnavailableError

OVERLAP: Final = 60
"""Seconds before the last poll that a poll reads again. Events are listed by their own time: one that is stored later
than this after it happened is missed."""


class Follower:
    """Polls for new events. `clock` is in Unix seconds and has to be close to that of the service."""

    def __init__(self, api: Api, filters: Filters, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._filters = filters
        self._clock = clock
        self._since = int(clock()) - OVERLAP
        # Time by id of the events that were returned and may be listed again.
        self._seen: dict[str, int] = {}

    def start(self, last: int) -> list[StoredEvent]:
        """Return the newest `last` events, oldest first. Later polls return only events that are stored after this."""
        self.poll()
        newest = self._api.page(self._filters, limit=last)["events"][::-1] if last else []
        self._seen |= {event["event_id"]: event["timestamp_utc"] for event in newest}
        return newest

    def poll(self) -> list[StoredEvent]:
        """Return the events that were stored since the last successful poll, however long ago that was.

        Raises:
            UnavailableError: the service does not answer; poll again later.
        """
        now = int(self._clock())
        listed = list(self._api.events(replace(self._filters, start=self._since), order="asc"))
        new = [event for event in listed if event["event_id"] not in self._seen]
        self._since = now - OVERLAP
        self._seen |= {event["event_id"]: event["timestamp_utc"] for event in new}
        self._seen = {event_id: at for event_id, at in self._seen.items() if at >= self._since}
        return new


def follow(follower: Follower, last: int, interval: float, on_outage: Callable[[str], None]) -> Iterator[StoredEvent]:
    """Yield the newest `last` events, and then new events without end, polling every `interval` seconds.

    `on_outage` is called once for each outage, with its reason.
    """
    yield from follower.start(last)
    is_away = False
    while True:
        time.sleep(interval)
        try:
            new = follower.poll()
        except UnavailableError as exc:
            if not is_away:
                on_outage(str(exc))
            is_away = True
        else:
            is_away = False
            yield from new
