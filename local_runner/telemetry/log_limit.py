"""Limit of log records: whatever is sent to the service, or fails in it, the log grows slowly."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

RECORDS: Final = 10
"""Records of one place in the code that are written within `SECONDS`; the requests' records have their own limit."""

SECONDS: Final = 10.0

_REQUESTS: Final = "audit_log.request"


class RecordLimit(logging.Filter):
    """Drops records of a place beyond its limit; its next record says in `sampled` how many.

    A place is a line of code. Messages would be too many: some libraries put names or numbers into them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = Lock()
        self._places: dict[tuple[str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        if record.name == _REQUESTS:
            return True
        now = self._clock()
        with self._lock:
            place = self._places.setdefault((record.pathname, record.lineno), _Place())
            if now >= place.ends_at:
                place.ends_at, place.left = now + SECONDS, RECORDS
            if not place.left:
                place.dropped += 1
                return False
            place.left -= 1
            if place.dropped:
                record.__dict__["sampled"], place.dropped = place.dropped, 0
        return True


class _Place:
    """State of one place: the end of its current period, how many records it has left, and how many were dropped."""

    __slots__ = ("dropped", "ends_at", "left")

    def __init__(self) -> None:
        self.ends_at = 0.0
        self.left = 0
        self.dropped = 0
