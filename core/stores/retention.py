"""Retention on PostgreSQL: drops partitions whose events are nearly all due, and records what it deleted.

A partition is dropped in two transactions. The first detaches it, which locks the table of events briefly, moves the
events that are kept to the default partition, and marks the rest by a comment; the second moves what a hold that was
placed meanwhile keeps, counts the rest and drops it. If the second does not happen, the next run finds the mark. Due
events elsewhere are deleted by `core.stores.purging`.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, not_, text

from core.domain.audit_events import audit_event
from core.stores.column_types import unix_milliseconds
from core.stores.dialects import dialect_of
from core.stores.holds import active, any_of, fixed
from core.stores.own_events import insert_own_event
from core.stores.partitions import Partition, partitions, postgresql_connection

_MARK: Final = "audit-log: to be deleted, events from "
_IDS_PER_CHUNK: Final = 20_000
_MOVED_SHARE: Final = 20
"""A partition is dropped if at most one event in that many is kept."""

_MARKED: Final = text("""
SELECT oid::regclass::text AS name, obj_description(oid, 'pg_class') AS mark
FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND starts_with(obj_description(oid, 'pg_class'), :mark)
ORDER BY mark
""")
# The ledger keeps the places of deleted events, and `dropped_months` says why the events of their months are missing.
_COUNT: Final = """
WITH noted AS (
    INSERT INTO dropped_months (month, at)
    SELECT DISTINCT to_char(to_timestamp(timestamp_utc) AT TIME ZONE 'UTC', 'YYYY-MM'), :at FROM {rows}
    ON CONFLICT (month) DO UPDATE SET at = excluded.at
), counted AS (
    INSERT INTO tallies (minute, outcome, source, count)
    SELECT received_at / 60000, 'dropped', :source, count(*) FROM {rows} GROUP BY received_at / 60000 RETURNING count
)
SELECT coalesce(sum(count), 0)::bigint FROM counted
"""
_ERASURES: Final = "DELETE FROM erasures WHERE event_id IN (SELECT event_id FROM {rows})"
_KEPT: Final = "SELECT count(*) FILTER (WHERE NOT ({due})) AS kept, count(*) AS stored FROM {name} AS events"
_MOVE: Final = """
WITH kept AS (DELETE FROM {name} AS events WHERE NOT ({due}) RETURNING *) INSERT INTO events SELECT * FROM kept
"""
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


def drop_partitions(engine: Engine, due: ColumnElement[bool], *, before: int, now: datetime) -> dict[str, int]:
    """Drop the partitions that end by `before`, in Unix seconds, and whose events are nearly all `due` and not held.

    Returns the numbers of deleted events by the first month of each. Each partition is deleted together with the event
    that records it, `audit-log.events.dropped`, and its months are noted in `dropped_months`. Ids whose events
    are gone are deleted in chunks, those that an interruption left with the next partition. A retry of a deleted event
    is rejected until its id is deleted; afterwards it is stored again.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: another session locks the table for over ten seconds; months deleted so far stay deleted.
    """
    dropped = finish_drops(engine, now=now)
    for partition in _expired(engine, before):
        if _is_nearly_all(engine, partition, due):
            _detach(engine, partition, due)
            dropped |= dict(_drop_marked(engine, now))
    if dropped:
        _delete_orphaned_ids(engine, before)
    return dropped


def finish_drops(engine: Engine, *, now: datetime) -> dict[str, int]:
    """Drop the partitions that an interrupted run has detached only; see `drop_partitions`."""
    return dict(_drop_marked(engine, now))


def detached_months(connection: Connection) -> set[str]:
    """Return the months, such as `2026-01`, that a run has detached and not dropped yet; none but on PostgreSQL."""
    if connection.dialect.name != "postgresql":
        return set()
    return set(_marked(connection).values())


def _expired(engine: Engine, before: int) -> list[Partition]:
    return [partition for partition in partitions(engine) if partition.end is not None and partition.end <= before]


def _is_nearly_all(engine: Engine, partition: Partition, due: ColumnElement[bool]) -> bool:
    """Whether moving the events that are kept is less work than deleting the others."""
    condition = _literal(engine, and_(due, not_(any_of(active(engine)))))
    with postgresql_connection(engine) as connection:
        _without_time_limit(connection)
        row = connection.exec_driver_sql(_KEPT.format(name=partition.name, due=condition)).one()
    return bool(row.kept * _MOVED_SHARE <= row.stored)


def _detach(engine: Engine, partition: Partition, due: ColumnElement[bool]) -> None:
    with postgresql_connection(engine) as connection:
        _without_time_limit(connection)
        condition = _literal(engine, and_(due, not_(any_of(fixed(connection)))))
        connection.exec_driver_sql(f"ALTER TABLE events DETACH PARTITION {partition.name}")
        connection.exec_driver_sql(_MOVE.format(name=partition.name, due=condition))
        connection.exec_driver_sql(f"COMMENT ON TABLE {partition.name} IS '{_MARK}{_month(partition)}'")
        connection.commit()


def _marked(connection: Connection) -> dict[str, str]:
    """Return the month of each detached partition by its name, the earliest first."""
    return {row.name: row.mark.removeprefix(_MARK) for row in connection.execute(_MARKED, {"mark": _MARK})}


def _drop_marked(engine: Engine, now: datetime) -> Iterator[tuple[str, int]]:
    with postgresql_connection(engine) as connection:
        marked = _marked(connection)
    for name, month in marked.items():
        with postgresql_connection(engine) as connection:
            _without_time_limit(connection)
            if holds := fixed(connection):
                due = _literal(engine, not_(any_of(holds)))
                connection.exec_driver_sql(_MOVE.format(name=name, due=due))
            counted = text(_COUNT.format(rows=name))
            count = connection.scalar(counted, _parameters(now)) or 0
            connection.exec_driver_sql(_ERASURES.format(rows=name))
            connection.exec_driver_sql(f"DROP TABLE {name}")
            _record(engine, connection, month, count, now)
        yield month, count


def _literal(engine: Engine, condition: ColumnElement[bool]) -> str:
    """Return a condition as SQL without parameters, which `ALTER TABLE` and its neighbours do not take."""
    return str(condition.compile(engine, compile_kwargs={"literal_binds": True}))


def _parameters(now: datetime) -> dict[str, object]:
    return {"source": uuid.uuid4().hex, "at": unix_milliseconds(now)}


def _record(engine: Engine, connection: Connection, month: str, count: int, now: datetime) -> None:
    """Commit a deletion together with its audit event."""
    insert_own_event(
        connection, dialect_of(engine), audit_event("events.dropped", month, at=now, month=month, events=count)
    )
    connection.commit()


def _delete_orphaned_ids(engine: Engine, before: int) -> None:
    """Delete the ids before `before` whose events are gone, in one scan of all ids."""
    after: str | None = "00000000-0000-0000-0000-000000000000"
    while after is not None:
        with postgresql_connection(engine) as connection:
            row = connection.execute(_ORPHANS, {"after": after, "limit": _IDS_PER_CHUNK, "before": before}).one()
            connection.commit()
        after = row.last


def _without_time_limit(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they need: their cost grows with the deleted events."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _month(partition: Partition) -> str:
    return f"{datetime.fromtimestamp(partition.start or 0, UTC):%Y-%m}"
