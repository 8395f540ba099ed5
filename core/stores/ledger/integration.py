"""Integration: gives the events of sealed batches consecutive indices, in the order in which their batches committed.

A writer gives no index, so no writer waits for another one, and a batch that is rolled back leaves no gap. A batch has
none until an integrator appends it to the ledger: one transaction sets `first_index` of all pending batches and inserts
a checkpoint with the size of the ledger before and after. Any number of integrators may run at once. `previous` is
unique, so of two that start from the same size one fails, and finds nothing left to do.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Connection, Engine, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import StoreUnavailableError
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.schema import ledger_batches, ledger_checkpoints, ledger_nodes
from core.stores.sealing import seconds_of

MAX_EVENTS: Final = 100_000
"""Number of events of one transaction, if a single batch does not have more: bounds its time and memory."""
LATE_SECONDS: Final = 120.0
"""Age at which a pending batch is late. On AWS integration runs every minute, elsewhere every second."""

_MAX_BATCHES: Final = 2_000
_SIZE: Final = select(func.coalesce(func.max(ledger_checkpoints.c.size), 0)).scalar_subquery()
_IS_PENDING: Final = ledger_batches.c.first_index.is_(None)
# One statement, so that the size and the pending batches are of the same moment.
_PENDING: Final = (
    select(ledger_batches.c.number, ledger_batches.c.size, _SIZE.label("ledger_size"))
    .where(_IS_PENDING)
    .order_by(ledger_batches.c.number)
    .limit(_MAX_BATCHES)
)
_NEWEST: Final = (
    select(ledger_checkpoints.c.size, ledger_checkpoints.c.previous).order_by(ledger_checkpoints.c.size.desc()).limit(2)
)
_ADD_CHECKPOINT: Final = insert(ledger_checkpoints)
_ADD_NODES: Final = insert(ledger_nodes)
# Only the newest checkpoint is ever signed. The one before stays, because its successor refers to it.
_DELETE_UNSIGNED: Final = delete(ledger_checkpoints).where(
    ledger_checkpoints.c.size == bindparam("replaced"), ledger_checkpoints.c.note.is_(None)
)
_GIVE_INDEX: Final = (
    update(ledger_batches)
    .where(ledger_batches.c.number == bindparam("batch"), _IS_PENDING)
    .values(first_index=bindparam("index"))
)
_STATE: Final = select(_SIZE, select(func.min(ledger_batches.c.number)).where(_IS_PENDING).scalar_subquery())


class Node(NamedTuple):
    """Hash of a complete subtree of 2**`height` leaves, the `number`-th of this height from the left."""

    height: int
    number: int
    hash: bytes


class Growth(NamedTuple):
    """Root of the tree after new leaves, and the nodes that they completed."""

    root: bytes | None
    """None if the tree cannot be built over all events yet."""
    nodes: Sequence[Node]


class LedgerTree(Protocol):
    """Computes the Merkle tree over the ledger."""

    def grow(self, connection: Connection, size: int, batches: Sequence[int]) -> Growth:
        """Append the events of batches to a tree of `size` leaves.

        Reads commitments and nodes by `connection`, in the transaction that will store the result. `batches` are
        numbers in the order in which they are appended.
        """


class IntegrationLateError(StoreUnavailableError):
    """Stored events have had no index for too long: no integrator runs, or it fails."""


class Ledger:
    """The order of the events in one database."""

    def __init__(self, engine: Engine, tree: LedgerTree | None = None, clock: Callable[[], float] = time.time) -> None:
        """Without `tree`, events have indices, and checkpoints have no root."""
        self._engine = engine
        self._dialect = dialect_of(engine)
        self._tree = tree
        self._clock = clock

    def integrate(self) -> int:
        """Append pending batches to the ledger, about `MAX_EVENTS` events at most; return the number of events.

        0 if nothing is pending, or if another integrator was faster.

        Raises:
            StoreUnavailableError: nothing was appended; trying again later helps.
        """
        with open_connection(self._engine) as connection:
            pending = _within_limit(connection.execute(_PENDING).all())
            if not pending:
                return 0
            try:
                events = self._append(connection, pending)
                connection.commit()
            except IntegrityError as exc:
                if not self._dialect.is_duplicate_key(exc.orig):
                    raise
                return 0
            return events

    def check(self) -> dict[str, object]:
        """Implements `Check`: stored events get their indices in time. Returns the number of events that have one.

        Raises:
            IntegrationLateError: they do not.
            StoreUnavailableError: the database is unreachable.
        """
        with open_read_connection(self._engine) as connection:
            size, oldest = connection.execute(_STATE).one()
        waiting = 0.0 if oldest is None else max(0.0, self._clock() - seconds_of(oldest))
        if waiting > LATE_SECONDS:
            raise IntegrationLateError(
                f"Stored events have waited {waiting:.0f} seconds for their index: run `audit-log serve` or "
                "`audit-log worker`, and see its log."
            )
        return {"size": size, "oldest_pending_seconds": round(waiting, 3)}

    def _append(self, connection: Connection, pending: Sequence[Row[int, int, int]]) -> int:
        """Append `pending`; return the number of events, or 0 if the ledger has grown since `pending` was read."""
        size: int = pending[0].ledger_size
        end: int
        *first_indices, end = accumulate((batch.size for batch in pending), initial=size)
        growth = self._tree and self._tree.grow(connection, size, [batch.number for batch in pending])
        checkpoint = {
            "size": end,
            "previous": size,
            "root": growth.root if growth else None,
            "at": datetime.fromtimestamp(self._clock(), UTC),
        }
        connection.execute(_ADD_CHECKPOINT, checkpoint)
        newest = connection.execute(_NEWEST).all()
        if [row.size for row in newest] != ([end, size] if size else [end]):
            connection.rollback()  # so old that the checkpoint with the same `previous` is deleted already
            return 0
        if size:
            connection.execute(_DELETE_UNSIGNED, {"replaced": newest[1].previous})
        indices = zip(pending, first_indices, strict=True)
        connection.execute(_GIVE_INDEX, [{"batch": batch.number, "index": index} for batch, index in indices])
        if growth and growth.nodes:
            connection.execute(_ADD_NODES, [node._asdict() for node in growth.nodes])
        return end - size


def _within_limit(pending: Sequence[Row[int, int, int]]) -> Sequence[Row[int, int, int]]:
    """Return the first batches, up to `MAX_EVENTS` events but at least one batch."""
    ends = accumulate(batch.size for batch in pending)
    count = sum(end <= MAX_EVENTS for end in ends)
    return pending[: max(1, count)]
