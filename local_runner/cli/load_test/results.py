"""Plan, measurements and report of a load test, without HTTP."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus

from core.errors import AuditLogError


class LoadTestError(AuditLogError):
    """The load test could not run. The message says what to change."""


@dataclass(frozen=True)
class LoadPlan:
    """What to send where. Without a token the service's token endpoint is asked for one.

    `patience_seconds` is how long the check waits for one more event to become readable.
    """

    base_url: str
    requests: int
    connections: int
    token: str | None = field(default=None, repr=False)
    patience_seconds: float = 30.0


@dataclass(frozen=True)
class LoadReport:
    """Results of one run. Latencies are in milliseconds and are those of requests that got a response.

    `rate` is accepted events per second: a quick refusal is no throughput. Of the accepted events, `stored` were found,
    `missing` are not in the service's list, and `unverified` could not be looked for, since the service did not answer
    any more. `seconds_until_visible` is the time from the last response until all accepted events could be read; None
    if some never could.
    """

    requests: int
    seconds: float
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    statuses: dict[int, int]
    transport_errors: dict[str, int]
    accepted: int
    stored: int
    missing: int
    unverified: int
    seconds_until_visible: float | None


@dataclass(frozen=True)
class Check:
    """Result of looking for the accepted events: how many ids were not found, and whether the service answered then.

    `seconds_until_visible` is None if some were not found.
    """

    absent: int
    answered: bool
    seconds_until_visible: float | None


@dataclass
class Measurements:
    """Figures collected while posting: latencies in seconds, statuses, transport errors and the accepted ids."""

    latencies: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    transport_errors: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)

    @property
    def finished(self) -> int:
        """The number of requests that ended, with a response or without."""
        return len(self.latencies) + self.transport_errors.total()

    def report(self, seconds: float, check: Check) -> LoadReport:
        """Build the report of a run that posted for `seconds`."""
        accepted = self.statuses[HTTPStatus.ACCEPTED]
        stored = len(self.ids) - check.absent
        unverified = 0 if check.answered else check.absent
        ordered = sorted(self.latencies)
        return LoadReport(
            requests=self.finished,
            seconds=seconds,
            rate=accepted / seconds,
            p50_ms=_percentile_ms(ordered, 50),
            p95_ms=_percentile_ms(ordered, 95),
            p99_ms=_percentile_ms(ordered, 99),
            max_ms=_percentile_ms(ordered, 100),
            statuses=dict(self.statuses),
            transport_errors=dict(self.transport_errors),
            accepted=accepted,
            stored=stored,
            missing=accepted
            - stored
            - unverified,  # includes an id given to two events: only one of them can have been stored
            unverified=unverified,
            seconds_until_visible=check.seconds_until_visible if accepted else None,
        )


def _percentile_ms(ordered: list[float], percent: int) -> float:
    """The percentile by nearest rank, so that it is a latency which some request really had."""
    return 1_000 * ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0
