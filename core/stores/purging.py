"""The purge: deletes events that are due by the retention rules, in bounded batches, and records what it deleted.

Each batch is one transaction: the events, what belongs to them, their number by month in `audit-log.events.dropped`,
the counters and `dropped_months`. So the log explains every missing entry of the ledger at any time, also after a kill;
the next run continues with the events that are left. On PostgreSQL months of which little is kept go as partitions
before, see `core.stores.retention`. The ledger keeps the commitments of deleted events: proofs of them stay valid.
"""

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, false, func, insert, not_, or_, select, update

from core.domain.audit_events import audit_event
from core.domain.models import RESERVED_PREFIX, Event
from core.domain.reconciliation import minute_of
from core.domain.retention import RetentionRule, stronger
from core.errors import PurgeRefusedError
from core.ports.retention import Archive, Due, Pause, Purged
from core.stores import event_counters
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.holds import active, any_of, fixed, kept, record_kept
from core.stores.own_events import insert_own_event
from core.stores.retention import drop_partitions, finish_drops
from core.stores.retention_rules import read_rules
from core.stores.schema import EVENT_COLUMNS, dropped_months, erasures, events

BATCH_EVENTS: Final = 1_000

_OWN: Final = func.substr(events.c.event_type, 1, len(RESERVED_PREFIX)) == RESERVED_PREFIX
_ORDER: Final = (events.c.timestamp_utc, events.c.event_id)


def sleep(seconds: float) -> bool:
    """Wait for as many seconds; implements `Pause`."""
    time.sleep(seconds)
    return False


def plan(engine: Engine, *, now: datetime, proposed: Sequence[RetentionRule] | None = None) -> list[Due]:
    """Count the events that are due, by rule: of those in the database, or of `proposed` ones. Nothing is changed.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    rules = read_rules(engine) if proposed is None else proposed
    held = any_of(active(engine))
    found = []
    for rule in rules:
        query = select(func.count(), func.min(events.c.timestamp_utc)).where(_due(rule, rules, now), not_(held))
        with open_read_connection(engine) as connection:
            count, oldest = connection.execute(query).one()
        found.append(Due(rule, rule.before(now), count, oldest))
    return found


def leaves_nothing(engine: Engine, rules: Sequence[RetentionRule], *, now: datetime) -> bool:
    """Return whether these rules would delete all events of clients, of which there are some.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    due = and_(_any_due(rules, now), not_(any_of(active(engine))))
    return _any(engine, due) and not _any(engine, and_(not_(_OWN), not_(due)))


def kept_by_holds(engine: Engine, *, now: datetime) -> dict[str, int]:
    """Count the events that are due and that each legal hold keeps, by the id of the hold. Nothing is changed.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    return kept(engine, _any_due(read_rules(engine), now))


def purge(
    engine: Engine,
    *,
    now: datetime,
    everything: bool = False,
    archive: Archive | None = None,
    pause: Pause = sleep,
) -> Purged:
    """Delete the events that are due, but for those that a legal hold keeps, which is recorded once for each hold.

    Args:
        engine: The database.
        now: The time that rules count from.
        everything: Whether to delete even if no event of a client would be left.
        archive: Gets each batch of events before it is deleted; months do not go as partitions then.
        pause: Waits between two batches for as long as a batch took, so that writers have their turn; returns whether
            to stop.

    Raises:
        PurgeRefusedError: no event of a client would be left.
        StoreUnavailableError: deletions so far are recorded; the next run continues.
    """
    rules = read_rules(engine)
    due = _any_due(rules, now)
    left = not_(any_of(active(engine)))
    deleted: Counter[str] = Counter()
    if engine.dialect.name == "postgresql":
        deleted.update(finish_drops(engine, now=now))
    if _any(engine, and_(due, left)):
        if not everything and leaves_nothing(engine, rules, now=now):
            raise purge_refused()
        if engine.dialect.name == "postgresql" and archive is None:
            deleted.update(drop_partitions(engine, due, before=max(rule.before(now) for rule in rules), now=now))
        deleted.update(_delete_due(engine, rules, now, archive, pause))
    if counts := kept(engine, due):
        record_kept(engine, counts, at=now)
    return Purged(deleted, counts)


def _delete_due(
    engine: Engine,
    rules: Sequence[RetentionRule],
    now: datetime,
    archive: Archive | None,
    pause: Pause,
) -> Counter[str]:
    deleted: Counter[str] = Counter()
    source = uuid.uuid4().hex
    for rule in rules:
        due = _due(rule, rules, now)
        since = None
        while True:
            started = time.monotonic()
            batch = _next_batch(engine, and_(due, not_(any_of(active(engine)))), since)
            if not batch:
                break
            if archive:
                archive(batch)
            deleted.update(_delete(engine, batch, due, source, now))
            since = batch[-1].timestamp_utc
            if pause(time.monotonic() - started):
                return deleted
    return deleted


def purge_refused() -> PurgeRefusedError:
    """Build the error of a purge after which no event of a client would be left."""
    return PurgeRefusedError(
        "The retention rules would delete every event, such as with a wrong clock or period: nothing is deleted. "
        "Correct the rule by `audit-log retention set`, or run `audit-log retention apply --everything`."
    )


def _any_due(rules: Sequence[RetentionRule], now: datetime) -> ColumnElement[bool]:
    return or_(false(), *(_due(rule, rules, now) for rule in rules))


def _due(rule: RetentionRule, rules: Sequence[RetentionRule], now: datetime) -> ColumnElement[bool]:
    others = [not_(_about(other)) for other in stronger(rule, rules)]
    return and_(_about(rule), events.c.timestamp_utc < rule.before(now), *others)


def _about(rule: RetentionRule) -> ColumnElement[bool]:
    parts = [not_(_OWN) if rule.event_type is None else events.c.event_type == rule.event_type]
    if rule.customer_id is not None:
        parts.append(events.c.customer_id == rule.customer_id)
    return and_(*parts)


def _any(engine: Engine, condition: ColumnElement[bool]) -> bool:
    with open_read_connection(engine) as connection:
        return connection.execute(select(events.c.event_id).where(condition).limit(1)).first() is not None


def _next_batch(engine: Engine, condition: ColumnElement[bool], since: int | None) -> list[Event]:
    query = select(*EVENT_COLUMNS).where(condition).order_by(*_ORDER).limit(BATCH_EVENTS)
    if since is not None:  # passes over the events before it, which other rules keep
        query = query.where(events.c.timestamp_utc >= since)
    with open_read_connection(engine) as connection:
        return [_event(row) for row in connection.execute(query).mappings()]


def _event(row: Any) -> Event:
    return Event.model_construct(**{name: row[name] for name in Event.model_fields})


def _delete(
    engine: Engine, batch: Sequence[Event], due: ColumnElement[bool], source: str, now: datetime
) -> Counter[str]:
    """Delete those events of a batch that are still due and not held, and record it, in one transaction."""
    dialect = dialect_of(engine)
    ids, times = [event.event_id for event in batch], (batch[0].timestamp_utc, batch[-1].timestamp_utc)
    with open_connection(engine) as connection:
        dialect.begin_write(connection)
        condition = and_(due, not_(any_of(fixed(connection))))
        query = select(*EVENT_COLUMNS).where(events.c.event_id.in_(ids), events.c.timestamp_utc.between(*times))
        locked = query.where(condition).with_for_update(skip_locked=True)  # another purge may have the others
        rows = [_event(row) for row in connection.execute(locked).mappings()]
        months = Counter(f"{datetime.fromtimestamp(row.timestamp_utc, UTC):%Y-%m}" for row in rows)
        if rows:
            dialect.delete(connection, rows)
            connection.execute(delete(erasures).where(erasures.c.event_id.in_([row.event_id for row in rows])))
            minutes = Counter(minute_of(row.received_at) for row in rows)
            counts = {(minute, event_counters.DROPPED): count for minute, count in minutes.items()}
            event_counters.add(connection, source, counts)
            for month, count in sorted(months.items()):
                _note_month(connection, month, now)
                record = audit_event("events.dropped", month, at=now, month=month, events=count)
                insert_own_event(connection, dialect, record)
            connection.commit()
    return months


def _note_month(connection: Connection, month: str, now: datetime) -> None:
    known = update(dropped_months).where(dropped_months.c.month == month).values(at=now)
    if not connection.execute(known).rowcount:
        connection.execute(insert(dropped_months).values(month=month, at=now))
