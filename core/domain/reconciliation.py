"""Reconciliation of accepted events with stored, repeated, dead-lettered and queued ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reconciliation:
    """Numbers of events that were received in a time window.

    `repeated` events were retries of a stored one. `dead_lettered` and `in_flight` are all that the queue holds, from
    this window or not.
    """

    accepted: int
    stored: int
    repeated: int
    dead_lettered: int
    in_flight: int

    @property
    def difference(self) -> int:
        """Number of accepted events that are unaccounted for; 0 is the expected value.

        A negative value means that more events are known than were counted as accepted: a process was killed before it
        recorded its last second, or a publish succeeded although it returned an error. This is no loss, but it can hide
        one.
        """
        missing = self.accepted - self.stored - self.repeated - self.dead_lettered
        return missing if missing < 0 else max(0, missing - self.in_flight)
