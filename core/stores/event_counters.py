"""How many events were accepted, stored and repeated in each minute: what a reconciliation is made of.

An event counts in the minute in which it was received, whatever happens to it later. Whoever counts has rows of its
own, so that no two writers wait for each other.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

from sqlalchemy import Connection, Engine, func, insert, select, update

from core.stores.engine import connected, reading
from core.stores.schema import tallies

CounterKind = Literal["accepted", "stored", "repeated", "numbered"]
Counts = Mapping[tuple[int, CounterKind], int]
"""By minute since 1970 and what is counted."""

ACCEPTED: Final[CounterKind] = "accepted"
NUMBERED: Final[CounterKind] = "numbered"
"""How many accepted events of a source are counted in all, in minute 0: those that a killed process left uncounted are
found by it."""


def add(connection: Connection, source: str, counts: Counts) -> None:
    """Add to the counts of `source`, in the transaction of `connection`. No one else may add to the same source."""
    for (minute, outcome), count in sorted(counts.items()):
        row = {"minute": minute, "outcome": outcome, "source": source}
        there = (tallies.c[name] == value for name, value in row.items())
        raised = connection.execute(update(tallies).where(*there).values(count=tallies.c.count + count))
        if not raised.rowcount:
            connection.execute(insert(tallies).values(**row, count=count))


class SqlEventCounters:
    """The tallies of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, source: str, counts: Counts) -> None:
        """Add to the counts of `source`, durably.

        Raises:
            StoreUnavailableError: nothing was added; trying again later helps.
        """
        with connected(self._engine) as connection:
            add(connection, source, counts)
            connection.commit()

    def count(self, source: str, minute: int, outcome: CounterKind) -> int:
        """One count; 0 if nothing was counted.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        row = {"minute": minute, "outcome": outcome, "source": source}
        query = select(tallies.c.count).where(*(tallies.c[name] == value for name, value in row.items()))
        with connected(self._engine) as connection:
            return connection.execute(query).scalar() or 0

    def sums(self, start: int, end: int) -> Counter[CounterKind]:
        """What all have counted from minute `start` on and before minute `end`.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        window = select(tallies.c.outcome, func.sum(tallies.c.count)).where(
            tallies.c.minute >= start, tallies.c.minute < end
        )
        with reading(self._engine) as connection:
            rows = connection.execute(window.group_by(tallies.c.outcome)).all()
        return Counter({outcome: int(total) for outcome, total in rows})
