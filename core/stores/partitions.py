"""Monthly partitions of the events on PostgreSQL: list them, create them ahead, drop old ones.

Events of a month without a partition are stored in the default partition, so no event is rejected for its time.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from core.errors import NotSupportedError
from core.stores.connections import open_connection

_IDS_PER_CHUNK: Final = 20_000
_BOUNDS: Final = re.compile(r"FOR VALUES FROM \('?(-?\d+)'?\) TO \('?(-?\d+)'?\)")

_LIST: Final = text("""
SELECT child.oid::regclass::text AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds,
       greatest(child.reltuples, 0)::bigint AS rows, pg_total_relation_size(child.oid) AS bytes
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'events'::regclass
""")
_ORPHANS: Final = text("""
WITH looked_at AS (
    SELECT event_id, timestamp_utc FROM event_ids WHERE event_id > :after ORDER BY event_id LIMIT :limit
), gone AS (
    DELETE FROM event_ids USING looked_at
    WHERE event_ids.event_id = looked_at.event_id AND looked_at.timestamp_utc < :before AND NOT EXISTS (
        SELECT FROM events
        WHERE events.timestamp_utc = looked_at.timestamp_utc AND events.event_id = looked_at.event_id)
    RETURNING 1
)
SELECT (SELECT event_id::text FROM looked_at ORDER BY event_id DESC LIMIT 1) AS last,
       (SELECT count(*) FROM gone) AS gone
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
    with _postgresql(engine) as connection:
        return _partitions(connection)


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
        start, end = _month(now, ahead), _month(now, ahead + 1)
        with _postgresql(engine) as connection:
            # Lock the parent: a reader that waited for the default partition would not know the new partition.
            connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            if not any(_overlaps(partition, start, end) for partition in _partitions(connection)):
                created.append(_create(connection, start, end))
            connection.commit()
    return created


def horizon(keep_months: int, *, now: datetime) -> int:
    """Return the start of the oldest month to keep, in Unix seconds; `keep_months` excludes the current month."""
    return _seconds(_month(now, -keep_months))


def expired(engine: Engine, *, before: int) -> list[Partition]:
    """Return the partitions whose times are all before `before`. The default partition is never among them.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: trying again later helps.
    """
    return [partition for partition in partitions(engine) if partition.end is not None and partition.end <= before]


def drop(engine: Engine, names: Sequence[str], *, before: int) -> int:
    """Drop these partitions, and then the ids before `before` whose events are gone; return the number of ids.

    Ids are deleted in chunks, each in a separate transaction. Those that an interruption leaves are deleted next time.
    A retry of such an event is rejected until its id is deleted; afterwards it is stored again.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: another session locks the table for over ten seconds; finished drops stay.
    """
    for name in names:
        with _postgresql(engine) as connection:
            quoted = _quoted(connection, name)
            connection.exec_driver_sql(f"ALTER TABLE events DETACH PARTITION {quoted}")
            connection.exec_driver_sql(f"DROP TABLE {quoted}")
            connection.commit()
    return sum(_forget_ids(engine, before))


@contextmanager
def _postgresql(engine: Engine) -> Iterator[Connection]:
    if engine.dialect.name != "postgresql":
        raise NotSupportedError("Partitions exist on PostgreSQL only: this database has all events in one table.")
    with open_connection(engine) as connection:
        yield connection


def _partitions(connection: Connection) -> list[Partition]:
    found = []
    for row in connection.execute(_LIST):
        bounds = _BOUNDS.fullmatch(row.bounds)
        start, end = (int(bounds[1]), int(bounds[2])) if bounds else (None, None)
        found.append(Partition(row.name, start, end, row.rows, row.bytes))
    return sorted(found, key=lambda partition: (partition.start is None, partition.start or 0))


def _create(connection: Connection, start: datetime, end: datetime) -> str:
    name = f"events_{start:%Y_%m}"
    since, until = _seconds(start), _seconds(end)
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    connection.exec_driver_sql(
        f"WITH moved AS (DELETE FROM events_default WHERE timestamp_utc >= {since} AND timestamp_utc < {until} "  # noqa: S608 - integers
        f"RETURNING *) INSERT INTO {name} SELECT * FROM moved"
    )
    connection.exec_driver_sql(f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})")
    return name


def _forget_ids(engine: Engine, before: int) -> Iterator[int]:
    """Delete the ids before `before` whose events are gone, in one scan of all ids; yield the number of each chunk."""
    after: str | None = "00000000-0000-0000-0000-000000000000"
    while after is not None:
        with _postgresql(engine) as connection:
            row = connection.execute(_ORPHANS, {"after": after, "limit": _IDS_PER_CHUNK, "before": before}).one()
            connection.commit()
        yield row.gone
        after = row.last


def _overlaps(partition: Partition, start: datetime, end: datetime) -> bool:
    if partition.start is None or partition.end is None:
        return False
    return partition.start < _seconds(end) and _seconds(start) < partition.end


def _month(now: datetime, ahead: int) -> datetime:
    """Return the start of the month, in UTC, that is `ahead` months after the one of `now`; negative: before it."""
    now = now.astimezone(UTC)
    years, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(years, month + 1, 1, tzinfo=UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
