"""Event counters: how many events were accepted, stored and repeated in each minute, for reconciliation.

An event counts in the minute in which it was received, whatever happens to it later. Each process, and each thread that
stores, is a source with separate rows, so that writers never wait for each other.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, Protocol

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from core.stores.connections import open_connection, open_read_connection
from core.stores.schema import event_counters

CounterKind = Literal["accepted", "stored", "repeated", "dropped", "numbered"]
Counts = Mapping[tuple[int, CounterKind], int]
"""Counts by minute since 1970 and kind."""

ACCEPTED: Final[CounterKind] = "accepted"
STORED: Final[CounterKind] = "stored"
REPEATED: Final[CounterKind] = "repeated"
DROPPED: Final[CounterKind] = "dropped"
"""Events that retention deleted, see `core.stores.retention`."""
NUMBERED: Final[CounterKind] = "numbered"
"""Number of all events that a source has counted as accepted, kept in minute 0. Its difference to the sequence numbers
of the spool is the number of events that a killed process left uncounted."""


_MATCHES_KEY: Final = (
    event_counters.c.minute == bindparam("of_minute"),
    event_counters.c.outcome == bindparam("of_outcome"),
    event_counters.c.source == bindparam("of_source"),
)
# Built once: SQLAlchemy takes as long to build a statement as SQLite to store ten events.
_RAISE: Final = update(event_counters).where(*_MATCHES_KEY).values(count=event_counters.c.count + bindparam("more"))
_INSERT: Final = insert(event_counters)
_COUNT: Final = select(event_counters.c.count).where(*_MATCHES_KEY)


def add(connection: Connection, source: str, counts: Counts) -> None:
    """Add to the counters of `source`, in the transaction of `connection`. A source must have one writer at a time."""
    for (minute, kind), count in sorted(counts.items()):
        raised = connection.execute(_RAISE, {**_key(minute, kind, source), "more": count})
        if not raised.rowcount:
            connection.execute(_INSERT, {"minute": minute, "outcome": kind, "source": source, "count": count})


def _key(minute: int, kind: CounterKind, source: str) -> dict[str, object]:
    return {"of_minute": minute, "of_outcome": kind, "of_source": source}


class EventCounters(Protocol):
    """Event counters of one database."""

    def add(self, source: str, counts: Counts) -> None:
        """Add to the counters of `source`, durably: all of `counts`, or none.

        Raises:
            StoreUnavailableError: nothing was added; trying again later helps.
        """

    def count(self, source: str, minute: int, kind: CounterKind) -> int:
        """Return one counter; 0 if it does not exist.

        Raises:
            StoreUnavailableError: trying again later helps.
        """

    def sums(self, start: int, end: int) -> Counter[CounterKind]:
        """Return the sums over all sources, by kind, from minute `start` up to but without minute `end`.

        Raises:
            StoreUnavailableError: trying again later helps.
        """


class SqlEventCounters:
    """Implements `EventCounters`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, source: str, counts: Counts) -> None:
        """See `EventCounters.add`."""
        with open_connection(self._engine) as connection:
            add(connection, source, counts)
            connection.commit()

    def count(self, source: str, minute: int, kind: CounterKind) -> int:
        """See `EventCounters.count`."""
        with open_connection(self._engine) as connection:
            return connection.execute(_COUNT, _key(minute, kind, source)).scalar() or 0

    def sums(self, start: int, end: int) -> Counter[CounterKind]:
        """See `EventCounters.sums`."""
        query = (
            select(event_counters.c.outcome, func.sum(event_counters.c.count))
            .where(event_counters.c.minute >= start, event_counters.c.minute < end)
            .group_by(event_counters.c.outcome)
        )
        with open_read_connection(self._engine) as connection:
            return Counter({kind: int(total) for kind, total in connection.execute(query)})
