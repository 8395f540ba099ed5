"""Access log: one record for each request, sampled under load, without bodies, query strings or headers."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final, NamedTuple

from core.domain.traceparent import trace_id

LINES_PER_SECOND: Final = 10
"""Of one route and one class of status, such as 4xx: neither a load nor a flood of refusals fills the disk."""

PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds, with the same answer."""

_CLASSES: Final = 6  # of statuses, by their first digit
_FIRST_FAILURE: Final = 400
_FIRST_FAULT: Final = 500

_log = logging.getLogger("audit_log.request")


class AccessLogEntry(NamedTuple):
    """What a line says. `route` is the template of the path: paths may hold ids, and query strings any data."""

    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    client: str | None = None
    """Who sent it, as a token or a secret has shown."""
    traceparent: str | None = None
    viewer: str | None = None
    """The person that the client got the token for."""


class AccessLog:
    """Writes the lines of one route. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = Lock()
        self._ends = [0.0] * _CLASSES  # of the current second
        self._left = [0] * _CLASSES  # lines in this second
        self._left_out = [0] * _CLASSES  # since the last line

    def sample(self, route: str, status: int) -> int | None:
        """Whether an answer is to be written: None, or how many of its class were left out since the last line.

        Under load most are left out, so that comes first, and `write` only for the others.
        """
        if status < _FIRST_FAILURE and route in PROBES:
            return None
        kind = status // 100
        now = self._clock()
        with self._lock:
            if now >= self._ends[kind]:
                self._ends[kind] = now + 1.0
                self._left[kind] = LINES_PER_SECOND
            if not self._left[kind]:
                self._left_out[kind] += 1
                return None
            self._left[kind] -= 1
            suppressed, self._left_out[kind] = self._left_out[kind], 0
            return suppressed

    @staticmethod
    def write(line: AccessLogEntry, suppressed: int) -> None:
        """Write a line, and how many it stands for."""
        fields: dict[str, object] = {
            "request_id": line.request_id,
            "method": line.method,
            "route": line.route,
            "status": line.status,
            "ms": round(line.seconds * 1000, 3),
            "client": line.client,
        }
        if line.viewer:
            fields["viewer"] = line.viewer
        if line.traceparent:
            fields["trace_id"] = trace_id(line.traceparent)
        if suppressed:
            fields["sampled"] = suppressed
        _log.log(logging.INFO if line.status < _FIRST_FAULT else logging.WARNING, "request", extra=fields)
