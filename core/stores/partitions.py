"""Monthly partitions of the events on PostgreSQL: see them, make them ahead, drop the old ones.

An event whose month has no partition lies in the default one, so nothing is refused for its time.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from core.errors import NotSupportedError
from core.stores.engine import connected

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
    """A part of the events: from `start` up to but without `end`, in Unix seconds; both None: what no other takes.

    `rows` is PostgreSQL's estimate, `size` is in bytes and has the indexes in it.
    """

    name: str
    start: int | None
    end: int | None
    rows: int
    size: int


def partitions(engine: Engine) -> list[Partition]:
    """All partitions, the oldest first, the default one last.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: trying again later helps.
    """
    with _postgresql(engine) as connection:
        return _partitions(connection)


def create(engine: Engine, months: int, *, now: datetime) -> list[str]:
    """Make what is missing of the partitions for this month and the `months` after it; the names of the new ones.

    Events of a month that lie in the default partition already move into the new one. Each month is one transaction;
    readers and writers wait meanwhile, so that no one sees an event in neither place.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: someone else holds the table for longer than ten seconds; what was made stays.
    """
    made: list[str] = []
    for ahead in range(months + 1):
        start, end = _month(now, ahead), _month(now, ahead + 1)
        with _postgresql(engine) as connection:
            # The parent, not the default partition: a reader that waited for that would not know the new one yet.
            connection.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            if not any(_overlaps(partition, start, end) for partition in _partitions(connection)):
                made.append(_create(connection, start, end))
            connection.commit()
    return made


def horizon(keep_months: int, *, now: datetime) -> int:
    """The time before which nothing is kept: so many full months before this one, in Unix seconds."""
    return _seconds(_month(now, -keep_months))


def expired(engine: Engine, *, before: int) -> list[Partition]:
    """The partitions that lie wholly before this time. The default one never does.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: trying again later helps.
    """
    return [partition for partition in partitions(engine) if partition.end is not None and partition.end <= before]


def drop(engine: Engine, names: Sequence[str], *, before: int) -> int:
    """Drop these partitions, and the ids from before this time that have no event any more; how many ids that were.

    The ids go after the events and in chunks, each its own transaction; what an interruption leaves goes next time.
    Once its id is gone a retry of such an event is stored again, in the default partition; until then it is refused.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: someone else holds the table for longer than ten seconds; what was dropped is gone.
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
        raise NotSupportedError("Partitions are for PostgreSQL: this database keeps all events in one table.")
    with connected(engine) as connection:
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
        f"WITH moved AS (DELETE FROM events_default WHERE timestamp_utc >= {since} AND timestamp_utc < {until} "  # noqa: S608 - numbers of our own
        f"RETURNING *) INSERT INTO {name} SELECT * FROM moved"
    )
    connection.exec_driver_sql(f"ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})")
    return name


def _forget_ids(engine: Engine, before: int) -> Iterator[int]:
    """Take out the ids without an event from before this time, chunk by chunk, by one walk over all ids."""
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
    """The first moment of the month that is so many after (or before) the one of `now`, in UTC."""
    now = now.astimezone(UTC)
    years, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(years, month + 1, 1, tzinfo=UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
