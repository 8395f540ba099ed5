"""Do the books balance: is everything that was accepted stored, or known to be somewhere else?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reconciliation:
    """What became of the events received in a window.

    `repeated` are retries of an event that was stored; `dead_lettered` were given up, and `in_flight` is what the queue
    holds, of this window or not.
    """

    accepted: int
    stored: int
    repeated: int
    dead_lettered: int
    in_flight: int

    @property
    def difference(self) -> int:
        """Accepted events that are in none of the places where they may be, so that 0 is as it should be.

        Negative: more is known of than was counted as accepted. A process died before it had noted its last second,
        or a publish was answered with an error and taken all the same. That is no loss, but it could hide one.
        """
        missing = self.accepted - self.stored - self.repeated - self.dead_lettered
        return missing if missing < 0 else max(0, missing - self.in_flight)
