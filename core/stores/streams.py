"""Streams in the database of the events: their registration. `core.stores.stream_leases` has what senders change."""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import orjson
from sqlalchemy import Connection, Engine, RowMapping, Select, delete, func, insert, select, update

from core.domain.models import Event
from core.domain.streams import MAX_STREAMS, Refusal, Stream, StreamDefinition
from core.errors import StreamNotFoundError, TooManyStreamsError, VersionConflictError
from core.stores.connections import open_connection, open_read_connection
from core.stores.recorded_changes import recorded_change, unique_name
from core.stores.schema import stream_refusals, streams

_REFUSED: Final = (
    select(func.count())
    .select_from(stream_refusals)
    .where(stream_refusals.c.stream_id == streams.c.stream_id)
    .scalar_subquery()
    .label("refused")
)
_STREAMS: Final = select(streams, _REFUSED)
_NAME_TAKEN: Final = "Another stream has this name: choose another one."
_NOT_DEFINED: Final = ("position", "delivered_at", "failures", "failing_since", "next_try_at", "last_status")
"""Columns that senders change while a person changes the definition."""


def select_streams() -> Select[Any]:
    """Return the query whose rows `stream_of` decodes. The columns `holder` and `beat` are in it."""
    return _STREAMS


def stream_of(row: RowMapping) -> Stream:
    """Decode a row of `select_streams`."""
    own = {name: row[name] for name in Stream.model_fields if name not in StreamDefinition.model_fields}
    return Stream.model_validate({**orjson.loads(row["definition"]), **own})


class SqlStreams:
    """Implements `StreamAdmin`."""

    def __init__(self, engine: Engine, most: int = MAX_STREAMS) -> None:
        self._engine = engine
        self._most = most

    def streams(self) -> list[Stream]:
        """See `StreamAdmin.streams`."""
        query = _STREAMS.order_by(streams.c.created_at, streams.c.stream_id)
        with open_read_connection(self._engine) as connection:
            return [stream_of(row) for row in connection.execute(query).mappings()]

    def stream(self, stream_id: str) -> Stream:
        """See `StreamAdmin.stream`."""
        with open_read_connection(self._engine) as connection:
            row = connection.execute(_STREAMS.where(streams.c.stream_id == stream_id)).mappings().first()
        if row is None:
            _not_found()
        return stream_of(row)

    def add_stream(self, stream: Stream, record: Event) -> None:
        """See `StreamAdmin.add_stream`."""
        with recorded_change(self._engine, record, _NAME_TAKEN) as connection:
            if connection.execute(select(func.count()).select_from(streams)).scalar_one() >= self._most:
                raise TooManyStreamsError(f"There are {self._most} streams already: delete one first.")
            connection.execute(insert(streams).values(**_columns(stream), beat=0))

    def change_stream(self, stream: Stream, record: Event, *, position: int | None = None) -> Stream:
        """See `StreamAdmin.change_stream`."""
        columns = {name: value for name, value in _columns(stream).items() if name not in _NOT_DEFINED}
        columns |= {"version": stream.version + 1, "failures": 0, "failing_since": None, "next_try_at": None}
        if position is not None:
            columns["position"] = position
        with recorded_change(self._engine, record, _NAME_TAKEN) as connection:
            if not connection.execute(update(streams).where(*_unchanged(stream)).values(**columns)).rowcount:
                _explain(connection, stream.stream_id)
            row = connection.execute(_STREAMS.where(streams.c.stream_id == stream.stream_id)).mappings().one()
            return stream_of(row)

    def delete_stream(self, stream: Stream, record: Event) -> None:
        """See `StreamAdmin.delete_stream`."""
        with recorded_change(self._engine, record, _NAME_TAKEN) as connection:
            if not connection.execute(delete(streams).where(*_unchanged(stream))).rowcount:
                _explain(connection, stream.stream_id)
            connection.execute(delete(stream_refusals).where(stream_refusals.c.stream_id == stream.stream_id))

    def refusals(self, stream_id: str, limit: int) -> list[Refusal]:
        """See `StreamAdmin.refusals`."""
        of_stream = select(stream_refusals).where(stream_refusals.c.stream_id == stream_id)
        query = of_stream.order_by(stream_refusals.c.position).limit(limit)
        with open_read_connection(self._engine) as connection:
            return [Refusal.model_validate(dict(row)) for row in connection.execute(query).mappings()]

    def forget_refusals(self, stream_id: str, positions: Sequence[int]) -> None:
        """See `StreamAdmin.forget_refusals`."""
        named = stream_refusals.c.position.in_(positions)
        with open_connection(self._engine) as connection:
            connection.execute(delete(stream_refusals).where(stream_refusals.c.stream_id == stream_id, named))
            connection.commit()


def _columns(stream: Stream) -> dict[str, Any]:
    definition = stream.model_dump(mode="json", include=set(StreamDefinition.model_fields))
    columns = {name: getattr(stream, name) for name in Stream.model_fields if name in streams.c}
    columns["name"] = unique_name(stream.name, stream.customers)
    return {**columns, "definition": orjson.dumps(definition).decode()}


def _unchanged(stream: Stream) -> tuple[Any, ...]:
    return streams.c.stream_id == stream.stream_id, streams.c.version == stream.version


def _explain(connection: Connection, stream_id: str) -> NoReturn:
    if connection.execute(select(streams.c.version).where(streams.c.stream_id == stream_id)).first() is None:
        _not_found()
    raise VersionConflictError("The stream was changed since it was read: read it again, and repeat the change.")


def _not_found() -> NoReturn:
    raise StreamNotFoundError("There is no such stream.")
