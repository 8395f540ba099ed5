"""Retention on PostgreSQL: deletes the events of old months, and records what it deleted.

A partition is dropped in two transactions. The first detaches it, which locks the table of events briefly, and marks it
by a comment; the second counts its events and drops it. If the second does not happen, the next run finds the mark.
Old events in the default partition are deleted month by month.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from core.domain.audit_events import audit_event
from core.stores.dialects import dialect_of
from core.stores.holds import holding, refuse
from core.stores.own_events import insert_own_event
from core.stores.partitions import Partition, month_start, partitions, postgresql_connection, unix_seconds
from core.stores.schema import events as events_table
from core.stores.schema import unix_milliseconds

_MARK: Final = "audit-log: to be deleted, events from "
_IDS_PER_CHUNK: Final = 20_000

_MARKED: Final = text("""
SELECT oid::regclass::text AS name, obj_description(oid, 'pg_class') AS mark, pg_total_relation_size(oid) AS bytes,
       greatest(reltuples, 0)::bigint AS rows
FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND starts_with(obj_description(oid, 'pg_class'), :mark)
ORDER BY mark
""")
_MONTHS_IN_DEFAULT: Final = text("""
SELECT to_char(to_timestamp(timestamp_utc) AT TIME ZONE 'UTC', 'YYYY-MM') AS month, count(*) AS rows
FROM events_default WHERE timestamp_utc < :before GROUP BY month ORDER BY month
""")
# `rows` is a table, or the events that the same statement deletes in `gone`. The ledger keeps the places of deleted
# events, and `dropped_months` says why the events of their months are missing.
_COUNT: Final = """
WITH {gone}noted AS (
    INSERT INTO dropped_months (month, at)
    SELECT DISTINCT to_char(to_timestamp(timestamp_utc) AT TIME ZONE 'UTC', 'YYYY-MM'), :at FROM {rows}
    ON CONFLICT (month) DO UPDATE SET at = excluded.at
), counted AS (
    INSERT INTO tallies (minute, outcome, source, count)
    SELECT received_at / 60000, 'dropped', :source, count(*) FROM {rows} GROUP BY received_at / 60000 RETURNING count
)
SELECT coalesce(sum(count), 0)::bigint FROM counted
"""
_DELETED: Final = """gone AS (
    DELETE FROM events_default WHERE timestamp_utc >= :start AND timestamp_utc < :end
    RETURNING received_at, timestamp_utc
), """
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
class ExpiredMonth:
    """Events to be deleted. `month` is the first one of a partition, such as 2025-06.

    `rows` is exact for the default partition, otherwise an estimate. `size` is in bytes, 0 for the default partition.
    """

    month: str
    table: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """Numbers of deleted events by month, and of the ids that were deleted with these or left by an interruption."""

    events: dict[str, int]
    ids: int


def horizon(keep_months: int, *, now: datetime) -> int:
    """Return the start of the oldest month to keep, in Unix seconds; `keep_months` excludes the current month."""
    return unix_seconds(month_start(now, -keep_months))


def expired(engine: Engine, *, before: int) -> list[ExpiredMonth]:
    """Return the months whose events are all before `before`: partitions, and events in the default partition.

    Raises:
        NotSupportedError: not PostgreSQL.
        StoreUnavailableError: trying again later helps.
    """
    found = [ExpiredMonth(_month(each), each.name, each.rows, each.size) for each in _expired(engine, before)]
    with postgresql_connection(engine) as connection:
        _without_time_limit(connection)
        marked = connection.execute(_MARKED, {"mark": _MARK}).all()
        in_default = connection.execute(_MONTHS_IN_DEFAULT, {"before": before}).all()
    found += [ExpiredMonth(row.mark.removeprefix(_MARK), row.name, row.rows, row.bytes) for row in marked]
    found += [ExpiredMonth(row.month, "events_default", row.rows, 0) for row in in_default]
    return sorted(found, key=lambda each: (each.month, each.table))


def delete_expired(engine: Engine, *, before: int, now: datetime) -> Deletion:
    """Delete the events of `expired`, then the ids before `before` whose events are gone.

    Each month is deleted together with the audit event that records it, `audit-log.events.dropped`, and noted in
    `dropped_months` with the time of its last deletion. Ids are deleted in chunks. Whatever an interruption leaves is
    deleted next time. A retry of a deleted event is rejected until its id is deleted; afterwards it is stored again.

    Raises:
        NotSupportedError: not PostgreSQL.
        EventHeldError: a legal hold keeps one of these events; nothing was deleted, and the refusal is recorded.
        StoreUnavailableError: another session locks the table for over ten seconds; months deleted so far stay deleted.
    """
    with postgresql_connection(engine) as connection:
        hold = holding(connection, events_table.c.timestamp_utc < before)
    if hold:
        raise refuse(engine, hold, "retention", by="audit-log partitions", at=now)
    events = dict(_drop_marked(engine, now))
    for partition in _expired(engine, before):
        _detach(engine, partition)
        events |= dict(_drop_marked(engine, now))
    events |= dict(_delete_from_default(engine, before, now))
    return Deletion(events, sum(_delete_orphaned_ids(engine, before)))


def _expired(engine: Engine, before: int) -> list[Partition]:
    return [partition for partition in partitions(engine) if partition.end is not None and partition.end <= before]


def _detach(engine: Engine, partition: Partition) -> None:
    with postgresql_connection(engine) as connection:
        connection.exec_driver_sql(f"ALTER TABLE events DETACH PARTITION {partition.name}")
        connection.exec_driver_sql(f"COMMENT ON TABLE {partition.name} IS '{_MARK}{_month(partition)}'")
        connection.commit()


def _drop_marked(engine: Engine, now: datetime) -> Iterator[tuple[str, int]]:
    with postgresql_connection(engine) as connection:
        marked = connection.execute(_MARKED, {"mark": _MARK}).all()
    for row in marked:
        month = row.mark.removeprefix(_MARK)
        with postgresql_connection(engine) as connection:
            _without_time_limit(connection)
            counted = text(_COUNT.format(gone="", rows=row.name))
            count = connection.scalar(counted, _parameters(now)) or 0
            connection.exec_driver_sql(f"DROP TABLE {row.name}")
            _record(engine, connection, month, count, now)
        yield month, count


def _delete_from_default(engine: Engine, before: int, now: datetime) -> Iterator[tuple[str, int]]:
    with postgresql_connection(engine) as connection:
        _without_time_limit(connection)
        months = [row.month for row in connection.execute(_MONTHS_IN_DEFAULT, {"before": before})]
    for month in months:
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        bounds = {"start": unix_seconds(start), "end": min(unix_seconds(month_start(start, 1)), before)}
        with postgresql_connection(engine) as connection:
            _without_time_limit(connection)
            counted = text(_COUNT.format(gone=_DELETED, rows="gone"))
            count = connection.scalar(counted, {**_parameters(now), **bounds}) or 0
            _record(engine, connection, month, count, now)
        yield month, count


def _parameters(now: datetime) -> dict[str, object]:
    return {"source": uuid.uuid4().hex, "at": unix_milliseconds(now)}


def _record(engine: Engine, connection: Connection, month: str, count: int, now: datetime) -> None:
    """Commit a deletion together with its audit event."""
    insert_own_event(
        connection, dialect_of(engine), audit_event("events.dropped", month, at=now, month=month, events=count)
    )
    connection.commit()


def _delete_orphaned_ids(engine: Engine, before: int) -> Iterator[int]:
    """Delete the ids before `before` whose events are gone, in one scan of all ids; yield the number of each chunk."""
    after: str | None = "00000000-0000-0000-0000-000000000000"
    while after is not None:
        with postgresql_connection(engine) as connection:
            row = connection.execute(_ORPHANS, {"after": after, "limit": _IDS_PER_CHUNK, "before": before}).one()
            connection.commit()
        yield row.gone
        after = row.last


def _without_time_limit(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they need: their cost grows with the deleted events."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _month(partition: Partition) -> str:
    return f"{datetime.fromtimestamp(partition.start or 0, UTC):%Y-%m}"
