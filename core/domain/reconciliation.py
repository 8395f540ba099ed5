"""Reconciliation of accepted events with stored, repeated, dead-lettered and queued ones."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self


def minute_of(moment: datetime) -> int:
    """The minute that `moment` lies in, counted from 1970."""
    return int(moment.timestamp()) // 60


def moment_of(minute: int) -> datetime:
    """The start of a minute that is counted from 1970."""
    return datetime.fromtimestamp(minute * 60, UTC)


class Window(NamedTuple):
    """The minutes from `start` up to but without `end`, both counted from 1970, by the time an event was received."""

    start: int
    end: int

    @classmethod
    def day_before(cls, end: datetime) -> Self:
        """The 24 hours before the minute of `end`."""
        return cls(minute_of(end - timedelta(days=1)), minute_of(end))

    def includes(self, moment: datetime) -> bool:
        """Whether `moment` lies in one of the minutes."""
        return self.start <= minute_of(moment) < self.end


@dataclass(frozen=True)
class Reconciliation:
    """Numbers of events that were received in a window, by what became of them.

    `repeated` events are retries of a stored one, `dropped` ones were deleted by retention. `dead_lettered` and
    `in_flight` (held by the queue) may include events of other times, where a caller cannot distinguish them.
    """

    accepted: int
    stored: int
    repeated: int
    dead_lettered: int
    in_flight: int
    dropped: int = 0

    @property
    def difference(self) -> int:
        """Number of accepted events that are unaccounted for; 0 is the expected value.

        A negative value means that more events are known than were counted as accepted: a process was killed before it
        recorded its last second, or a publish succeeded although it returned an error. This is no loss, but it can hide
        one.
        """
        missing = self.accepted - self.stored - self.dropped - self.repeated - self.dead_lettered
        return missing if missing < 0 else max(0, missing - self.in_flight)

    @property
    def unaccounted(self) -> int:
        """The part of `difference` that may be a loss, for a metric with an alarm on everything above 0."""
        return max(0, self.difference)

    def figures(self) -> dict[str, int]:
        """All numbers by name, the difference last."""
        return {**vars(self), "difference": self.difference}
