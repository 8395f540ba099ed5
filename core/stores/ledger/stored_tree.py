"""The Merkle tree over the ledger in a database.

Leaves come from the commitments of batches, nodes at heights 8, 16, 24 and so on from their table; all other hashes are
computed from at most 256 of these. No hash ever changes.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from core.errors import StoreUnavailableError
from core.ledger.entries import COMMITMENT_BYTES, entries_of
from core.ledger.tiles import TiledHashes
from core.ledger.tree import NODE_HEIGHT, Frontier, leaf_hashes
from core.stores.ledger.integration import Growth, Node
from core.stores.schema import ledger_batches, ledger_nodes

_MONTH_BYTES: Final = 4
_COLUMNS: Final = (ledger_batches.c.size, ledger_batches.c.months, ledger_batches.c.commitments)
FIRST_BATCH: Final = (
    select(func.coalesce(func.max(ledger_batches.c.first_index), 0))
    .where(ledger_batches.c.first_index <= bindparam("start"))
    .scalar_subquery()
)
"""Index of the first event of the batch that has index `start`."""

_BETWEEN: Final = (
    select(ledger_batches.c.first_index, *_COLUMNS)
    .where(ledger_batches.c.first_index >= FIRST_BATCH, ledger_batches.c.first_index < bindparam("end"))
    .order_by(ledger_batches.c.first_index)
)
_BY_NUMBER: Final = select(ledger_batches.c.number, *_COLUMNS).where(
    ledger_batches.c.number.in_(bindparam("numbers", expanding=True))
)
NODES: Final = (
    select(ledger_nodes.c.number, ledger_nodes.c.hash)
    .where(
        ledger_nodes.c.height == bindparam("height"),
        ledger_nodes.c.number >= bindparam("start"),
        ledger_nodes.c.number < bindparam("end"),
    )
    .order_by(ledger_nodes.c.number)
)
_FULL_TILES: Final = select(func.coalesce(func.max(ledger_nodes.c.number) + 1, 0)).where(
    ledger_nodes.c.height == NODE_HEIGHT
)
_BATCHES_PER_QUERY: Final = 100  # bounds the memory: a batch has up to 3,000 events of 36 bytes each


class LedgerIncompleteError(StoreUnavailableError):
    """Rows of the ledger are missing or damaged. Restore the database from a backup."""


class UncommittedError(LedgerIncompleteError):
    """Events were stored with AUDIT_LOG_LEDGER=off, and are not adopted yet. Trying again later helps."""


class StoredTree:
    """Implements `LedgerTree`."""

    def grow(self, connection: Connection, size: int, batches: Sequence[int]) -> Growth:
        """See `LedgerTree.grow`. There is no root while events without commitments wait for their adoption."""
        try:
            if covered_leaves(connection) != size >> NODE_HEIGHT << NODE_HEIGHT:
                return Growth(None, ())
            frontier = Frontier(size, full_subtrees(connection))
            nodes = [Node(*node) for node in frontier.append(_leaves_of(connection, batches))]
        except UncommittedError:
            return Growth(None, ())
        return Growth(frontier.root(), nodes)


def covered_leaves(connection: Connection) -> int:
    """Return the number of leaves in full tiles whose nodes are stored."""
    return int(connection.execute(_FULL_TILES).scalar_one()) << NODE_HEIGHT


def full_subtrees(connection: Connection) -> TiledHashes:
    """Return a reader of the hashes that are stored, by `connection`. It keeps the tiles that it has read."""
    tiles: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, number: int, width: int) -> list[bytes]:
        hashes = tiles.get((level, number), [])
        if len(hashes) < width:
            hashes = tiles[level, number] = read_tile(connection, level, number, width)
        return hashes

    return TiledHashes(read)


def read_tile(connection: Connection, level: int, number: int, width: int) -> list[bytes]:
    """Return the first `width` hashes of a tile.

    Raises:
        LedgerIncompleteError: some are missing.
    """
    start = number << NODE_HEIGHT
    if level == 0:
        return leaf_hashes(read_entries(connection, start, start + width))
    rows = connection.execute(NODES, {"height": NODE_HEIGHT * level, "start": start, "end": start + width}).all()
    if [row.number for row in rows] != list(range(start, start + width)):
        raise LedgerIncompleteError("Nodes of the ledger's tree are missing.")
    return [row.hash for row in rows]


def read_entries(connection: Connection, start: int, end: int) -> list[bytes]:
    """Return the entries with indices from `start` up to but without `end`.

    Raises:
        LedgerIncompleteError: some are missing.
    """
    found: list[bytes] = []
    for first, size, months, commitments in connection.execute(_BETWEEN, {"start": start, "end": end}):
        found += _entries(size, months, commitments, slice(max(0, start - first), max(0, end - first)))
    if len(found) != end - start:
        raise LedgerIncompleteError("Entries of the ledger are missing.")
    return found


def _leaves_of(connection: Connection, numbers: Sequence[int]) -> Iterator[bytes]:
    """Yield the leaf hashes of batches, in the order of their numbers as given."""
    for place in range(0, len(numbers), _BATCHES_PER_QUERY):
        wanted = numbers[place : place + _BATCHES_PER_QUERY]
        rows = {row.number: row for row in connection.execute(_BY_NUMBER, {"numbers": list(wanted)})}
        for number in wanted:
            row = rows[number]
            yield from leaf_hashes(_entries(row.size, row.months, row.commitments, slice(None)))


def _entries(size: int, months: bytes, commitments: bytes | None, wanted: slice) -> list[bytes]:
    """Return the wanted ones of the entries of a batch."""
    if commitments is None:
        raise UncommittedError("Events that were stored with AUDIT_LOG_LEDGER=off are not adopted yet.")
    if len(months) != _MONTH_BYTES * size or len(commitments) != COMMITMENT_BYTES * size:
        raise LedgerIncompleteError("A batch of the ledger is damaged.")
    start, end, _ = wanted.indices(size)
    numbers = struct.unpack(f">{size}i", months)
    return entries_of(numbers[wanted], commitments[COMMITMENT_BYTES * start : COMMITMENT_BYTES * end])
