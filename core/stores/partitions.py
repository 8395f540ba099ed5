"""Monthly partitions of the events on PostgreSQL: list them, and create them ahead.

Events of a month without a partition are stored in the default partition, so no event is rejected for its time.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from core.errors import NotSupportedError
from core.stores.connections import open_connection

_BOUNDS: Final = re.compile(r"FOR VALUES FROM \('?(-?\d+)'?\) TO \('?(-?\d+)'?\)")

_LIST: Final = text("""
SELECT child.oid::regclass::text AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds,
       greatest(child.reltuples, 0)::bigint AS rows, pg_total_relation_size(child.oid) AS bytes
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'events'::regclass
""")


@dataclass(frozen=True, slots=True)
class Partition:
    """Partition for times from `start` up to but without `end`, in Unix seconds. The default partition has None twice.

    `rows` is PostgreSQL's estimate. `size` is in bytes and includes the indexes.
    """

    name: str
    start: int | None
    end: int | None
    rows: int
    size: int


def partitions(engine: Engine) -> list[Partition]:
    """Return all partitions, oldest first, the default partition last.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: trying again later helps.
    """
    with postgresql_connection(engine) as connection:
        return _partitions_of(connection)


def create(engine: Engine, months: int, *, now: datetime) -> list[str]:
    """Create missing partitions for the current month and the next `months` ones; return the names of the new ones.

    Events of these months move there from the default partition. Each month is one transaction, in which readers and
    writers wait, so that no reader misses an event that is being moved.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: another session locks the table for over ten seconds; partitions created so far stay.
    """
    created: list[str] = []
    for ahead in range(months + 1):
        start, end = month_start(now, ahead), month_start(now, ahead + 1)
        with postgresql_connection(engine) as connection:
            # Lock the parent: a reader that waited for the default partition would not know the new partition.
            connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            if not any(_overlaps(partition, start, end) for partition in _partitions_of(connection)):
                created.append(_create(connection, start, end))
            connection.commit()
    return created


@contextmanager
def postgresql_connection(engine: Engine) -> Iterator[Connection]:
    """Open a connection, see `open_connection`.

    Raises:
        NotSupportedError: not PostgreSQL.
    """
    if engine.dialect.name != "postgresql":
        raise NotSupportedError("Partitions exist on PostgreSQL only: this database has all events in one table.")
    with open_connection(engine) as connection:
        yield connection


def _partitions_of(connection: Connection) -> list[Partition]:
    found = []
    for row in connection.execute(_LIST):
        bounds = _BOUNDS.fullmatch(row.bounds)
        start, end = (int(bounds[1]), int(bounds[2])) if bounds else (None, None)
        found.append(Partition(row.name, start, end, row.rows, row.bytes))
    return sorted(found, key=lambda partition: (partition.start is None, partition.start or 0))


def _create(connection: Connection, start: datetime, end: datetime) -> str:
    name = f"events_{start:%Y_%m}"
    since, until = unix_seconds(start), unix_seconds(end)
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    connection.exec_driver_sql(
        f"WITH moved AS (DELETE FROM events_default WHERE timestamp_utc >= {since} AND timestamp_utc < {until} "  # noqa: S608 - integers
        f"RETURNING *) INSERT INTO {name} SELECT * FROM moved"
    )
    connection.exec_driver_sql(f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})")
    return name


def _overlaps(partition: Partition, start: datetime, end: datetime) -> bool:
    if partition.start is None or partition.end is None:
        return False
    return partition.start < unix_seconds(end) and unix_seconds(start) < partition.end


def month_start(now: datetime, ahead: int) -> datetime:
    """Return the start of the month, in UTC, that is `ahead` months after the one of `now`; negative: before it."""
    now = now.astimezone(UTC)
    years, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(years, month + 1, 1, tzinfo=UTC)


def unix_seconds(moment: datetime) -> int:
    """Return Unix seconds; a fraction is cut off."""
    return int(moment.timestamp())
