"""Leases that compare no clocks: who may take over what another process holds.

A holder shows that it lives by a number in the row of what it holds, which it increases. A process that sees the same
number for `LEASE_SECONDS`, by a clock that only runs forward, may take the row over. So no clocks of two machines are
compared, and no lock of a database is needed that a proxy of connections could break.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from core.domain.clock import Clock

LEASE_SECONDS: Final = 30.0
BEAT_SECONDS: Final = 10.0


class _Sighting(NamedTuple):
    holder: str | None
    beat: int
    since: float


class LeaseWatch:
    """Remembers since when each lease has looked the same."""

    def __init__(self, lease_seconds: float, clock: Clock) -> None:
        """`clock` runs forward; `lease_seconds` are counted by it."""
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._seen: dict[str, _Sighting] = {}

    def look(self, leases: Mapping[str, tuple[str | None, int]]) -> None:
        """Compare the holders and beats of all leases with those seen before."""
        self._seen = {row_id: self._sighting(row_id, holder, beat) for row_id, (holder, beat) in leases.items()}

    def is_free(self, row_id: str) -> bool:
        """Whether a lease that was seen has no holder, or one that does not live any more."""
        seen = self._seen[row_id]
        return seen.holder is None or self._clock() >= seen.since + self._lease_seconds

    def _sighting(self, row_id: str, holder: str | None, beat: int) -> _Sighting:
        before = self._seen.get(row_id)
        if before and (before.holder, before.beat) == (holder, beat):
            return before
        return _Sighting(holder, beat, self._clock())
