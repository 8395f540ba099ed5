"""Adoption: commits to events that were stored with AUDIT_LOG_LEDGER=off, so that the tree can be built over all.

From then on these events are as provable as others; for the time before, nothing is proven. An event that is no longer
stored gets a random commitment, which nothing opens.
"""

import os
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.domain.models import Event
from core.ledger.entries import COMMITMENT_BYTES, seal
from core.ledger.tree import NODE_HEIGHT, Frontier, leaf_hashes, root
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.ledger.stored_tree import FIRST_BATCH, covered_leaves, full_subtrees, read_entries
from core.stores.schema import events, ledger_batches, ledger_checkpoints, ledger_nodes

_LEAVES: Final = 25_600
"""Leaves of one transaction: 100 tiles."""
_ID_BYTES: Final = 16
_IDS_PER_QUERY: Final = 500

_NEWEST: Final = (
    select(ledger_checkpoints.c.size, ledger_checkpoints.c.root).order_by(ledger_checkpoints.c.size.desc()).limit(1)
)
_UNCOMMITTED: Final = (
    select(ledger_batches.c.number, ledger_batches.c.ids)
    .where(
        ledger_batches.c.commitments.is_(None),
        ledger_batches.c.first_index >= FIRST_BATCH,  # those before are committed, or they would have no nodes
        ledger_batches.c.first_index < bindparam("end"),
    )
    .order_by(ledger_batches.c.first_index)
)
_COMMIT: Final = (
    update(ledger_batches)
    .where(ledger_batches.c.number == bindparam("batch"), ledger_batches.c.commitments.is_(None))
    .values(commitments=bindparam("made"))
)
_SALT: Final = (
    update(events)
    .where(events.c.event_id == bindparam("id"), events.c.timestamp_utc == bindparam("time"))
    .values(salts=bindparam("made"))
)
_SET_ROOT: Final = (
    update(ledger_checkpoints)
    .where(ledger_checkpoints.c.size == bindparam("of_size"), ledger_checkpoints.c.root.is_(None))
    .values(root=bindparam("computed"))
)


class Adoption:
    """Brings the tree of a database up to its size, a part in each transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect_of(engine)

    def proceed(self) -> bool:
        """Commit to a part of the events, and build the tree over it; return whether more is left to do.

        False as well if another process did the same part meanwhile.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
        """
        with open_connection(self._engine) as connection:
            newest = connection.execute(_NEWEST).one_or_none()
            if newest is None or newest.root is not None:
                return False
            size, start = newest.size, covered_leaves(connection)
            end = min(size, start + _LEAVES)
            try:
                for batch in connection.execute(_UNCOMMITTED, {"start": start, "end": end}).all():
                    self._commit(connection, batch)
                self._build(connection, start, end)
                if end == size:
                    computed = root(size, full_subtrees(connection))
                    connection.execute(_SET_ROOT, {"of_size": size, "computed": computed})
                connection.commit()
            except (IntegrityError, _AdoptedMeanwhileError) as exc:
                if isinstance(exc, IntegrityError) and not self._dialect.is_duplicate_key(exc.orig):
                    raise
                connection.rollback()
                return False
        return bool(end < size)

    def _build(self, connection: Connection, start: int, end: int) -> None:
        if end >> NODE_HEIGHT == start >> NODE_HEIGHT:
            return
        frontier = Frontier(start, full_subtrees(connection))
        nodes = frontier.append(leaf_hashes(read_entries(connection, start, end)))
        values = [{"height": height, "number": number, "hash": digest} for height, number, digest in nodes]
        connection.execute(insert(ledger_nodes), values)

    def _commit(self, connection: Connection, batch: Row[Any, Any]) -> None:
        ids = [str(UUID(bytes=batch.ids[place : place + _ID_BYTES])) for place in range(0, len(batch.ids), _ID_BYTES)]
        stored: dict[str, Event] = {}
        for start in range(0, len(ids), _IDS_PER_QUERY):
            query = self._dialect.select_by_ids(ids[start : start + _IDS_PER_QUERY])
            stored |= {row["event_id"]: Event.model_construct(**row) for row in connection.execute(query).mappings()}
        seals = seal(list(stored.values()))
        commitments = dict(zip(stored, seals.commitments, strict=True))
        made = b"".join(commitments[one] if one in commitments else os.urandom(COMMITMENT_BYTES) for one in ids)
        if not connection.execute(_COMMIT, {"batch": batch.number, "made": made}).rowcount:
            raise _AdoptedMeanwhileError
        if stored:
            connection.execute(
                _SALT,
                [
                    {"id": event.event_id, "time": event.timestamp_utc, "made": salts}
                    for event, salts in zip(stored.values(), seals.salts, strict=True)
                ],
            )


class _AdoptedMeanwhileError(Exception):
    """Another process committed to the batch."""
