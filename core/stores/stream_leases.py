"""Streams in the database of the events: what their senders change.

Each change says which sender makes it, and from which place: a sender that was stopped for a while, and whose stream
was taken over meanwhile, changes no row. `core.streams.dispatcher` says when a stream is taken over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, update

from core.domain.models import Event
from core.domain.streams import Refusal, Stream
from core.ports.streams import Failure, Lease
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.leases import RowLeases
from core.stores.own_events import insert_own_event
from core.stores.schema import stream_refusals, streams
from core.stores.streams import select_streams, stream_of

_RECOVERED: Final = {"reason": None, "failures": 0, "failing_since": None, "next_try_at": None}


class SqlStreamLeases:
    """Implements `StreamLeases`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)
        self._leases = RowLeases(engine, streams, streams.c.stream_id)

    def active(self) -> list[Lease]:
        """See `StreamLeases.active`."""
        query = select_streams().where(streams.c.state == "active").order_by(streams.c.stream_id)
        with open_read_connection(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [Lease(stream_of(row), row["holder"], row["beat"]) for row in rows]

    def take(self, seen: Lease, holder: str) -> bool:
        """See `StreamLeases.take`."""
        return self._leases.take(seen.stream.stream_id, seen.stream.version, (seen.holder, seen.beat), holder)

    def beat(self, holders: Sequence[str]) -> None:
        """See `StreamLeases.beat`."""
        self._leases.beat(holders)

    def release(self, stream_id: str, holder: str) -> None:
        """See `StreamLeases.release`."""
        self._leases.release(stream_id, holder)

    def advance(self, stream: Stream, holder: str, position: int) -> Stream | None:
        """See `StreamLeases.advance`."""
        return self._changed(stream, holder, position=position)

    def deliver(self, stream: Stream, holder: str, position: int, *, status: int | None, at: datetime) -> Stream | None:
        """See `StreamLeases.deliver`."""
        return self._changed(stream, holder, position=position, last_status=status, delivered_at=at, **_RECOVERED)

    def fail(self, stream: Stream, holder: str, failure: Failure) -> Stream | None:
        """See `StreamLeases.fail`."""
        return self._changed(
            stream,
            holder,
            reason=failure.reason,
            failures=failure.failures,
            failing_since=stream.failing_since or failure.at,
            next_try_at=failure.next_try_at,
            last_status=failure.status,
        )

    def refuse(
        self, stream: Stream, holder: str, position: int, *, refusal: Refusal, record: Event | None
    ) -> Stream | None:
        """See `StreamLeases.refuse`."""
        values = {"position": position, "last_status": refusal.status, **_RECOVERED}
        with open_connection(self._engine) as connection:
            self._dialect.begin_write(connection)
            if not _change(connection, *_held(stream, holder), beat=streams.c.beat + 1, **values):
                return None
            noted = stream_refusals.c.stream_id == stream.stream_id, stream_refusals.c.position == refusal.position
            connection.execute(delete(stream_refusals).where(*noted))  # after a replay
            connection.execute(insert(stream_refusals).values(**dict(refusal)))
            if record is not None:
                insert_own_event(connection, self._dialect, record)
            connection.commit()
        return stream.model_copy(update={**values, "refused": stream.refused + 1})

    def suspend(self, stream: Stream, holder: str, position: int, *, reason: str, record: Event) -> bool:
        """See `StreamLeases.suspend`."""
        later = stream_refusals.c.stream_id == stream.stream_id, stream_refusals.c.position >= position
        state: dict[str, Any] = {"state": "suspended", "reason": reason, "version": stream.version + 1}
        with open_connection(self._engine) as connection:
            self._dialect.begin_write(connection)
            conditions = (*_held(stream, holder), streams.c.version == stream.version)
            if not _change(
                connection, *conditions, position=position, changed_at=record.received_at, holder=None, **state
            ):
                return False
            connection.execute(delete(stream_refusals).where(*later))
            insert_own_event(connection, self._dialect, record)
            connection.commit()
        return True

    def _changed(self, stream: Stream, holder: str, **values: Any) -> Stream | None:
        if not self._update(*_held(stream, holder), beat=streams.c.beat + 1, **values):
            return None
        return stream.model_copy(update=values)

    def _update(self, *conditions: ColumnElement[bool], **values: Any) -> bool:
        with open_connection(self._engine) as connection:
            changed = _change(connection, *conditions, **values)
            connection.commit()
        return changed


def _held(stream: Stream, holder: str) -> tuple[ColumnElement[bool], ...]:
    """Condition that a sender still holds a stream whose place was not moved since."""
    same_place = streams.c.position == stream.position
    return streams.c.stream_id == stream.stream_id, streams.c.holder == holder, same_place


def _change(connection: Connection, *conditions: ColumnElement[bool], **values: Any) -> bool:
    return connection.execute(update(streams).where(*conditions).values(**values)).rowcount > 0
