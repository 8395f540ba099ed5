"""Checks a range of entries: their events, the nodes over them, and the checkpoints in it. Ranges are independent."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, bindparam, select

from core.ledger.checkpoints import MalformedCheckpointError, parse_checkpoint
from core.ledger.entries import entries_of
from core.ledger.keys import LedgerKeys, public_keys
from core.ledger.notes import MalformedNoteError, parse_note
from core.ledger.tiles import TILE_WIDTH
from core.ledger.tree import NODE_HEIGHT, leaf_hashes, level_above, root
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.engine import open_engine
from core.stores.ledger.checking.findings import Finding, RangeResult
from core.stores.ledger.checking.rows import RowCheck, is_intact, months_of
from core.stores.ledger.identity import origin_and_keys
from core.stores.ledger.stored_tree import FIRST_BATCH, NODES, LedgerIncompleteError, full_subtrees
from core.stores.schema import ledger_batches, ledger_checkpoints

LEAVES: Final = 25_600
"""Entries of a range: 100 full tiles."""

_BATCHES: Final = (
    select(ledger_batches)
    .where(ledger_batches.c.first_index >= FIRST_BATCH, ledger_batches.c.first_index < bindparam("end"))
    .order_by(ledger_batches.c.first_index)
)
_CHECKPOINTS: Final = (
    select(ledger_checkpoints.c.size, ledger_checkpoints.c.root, ledger_checkpoints.c.note)
    .where(ledger_checkpoints.c.size > bindparam("start"), ledger_checkpoints.c.size <= bindparam("end"))
    .order_by(ledger_checkpoints.c.size)
)


def check_range(engine: Engine, start: int, end: int) -> RangeResult:
    """Check the entries from `start`, a multiple of `LEAVES`, up to but without `end`.

    Raises:
        StoreUnavailableError: the database is unreachable; trying again later helps.
    """
    result = RangeResult()
    with open_connection(engine) as connection:
        _check_nodes(connection, start, list(_leaves(connection, start, end, result)), result)
        _check_checkpoints(connection, start, end, result)
    return result


def check_range_at(url: str, start: int, end: int) -> RangeResult:
    """Check a range in a process started for it, see `check_range`."""
    return check_range(_engine(url), start, end)


def check_upper_nodes(connection: Connection, size: int, result: RangeResult) -> None:
    """Check the nodes above those over leaves, which `check_range` checks, by the nodes below each."""
    height = 2 * NODE_HEIGHT
    while size >> height:
        below = full_subtrees(connection)
        for row in connection.execute(NODES, {"height": height, "start": 0, "end": size >> height}).all():
            try:
                computed = _folded(
                    [below(height - NODE_HEIGHT, row.number * TILE_WIDTH + n) for n in range(TILE_WIDTH)]
                )
            except (LedgerIncompleteError, IndexError):
                computed = b""
            if computed != row.hash:
                detail = f"the node of height {height}, number {row.number}, is not that of the nodes below it"
                result.findings.add(Finding("ledger", detail))
        height += NODE_HEIGHT


@lru_cache(maxsize=1)
def _engine(url: str) -> Engine:
    return open_engine(url)


def _leaves(connection: Connection, start: int, end: int, result: RangeResult) -> Iterator[bytes | None]:
    """Check the batches of a range, and yield the hash of each leaf; None if there is no commitment for it."""
    rows = RowCheck(connection, dialect_of(connection.engine), result)
    place = start
    for batch in connection.execute(_BATCHES, {"start": start, "end": end}).all():
        first: int = batch.first_index
        if not is_intact(batch):
            result.findings.add(Finding("ledger", f"the batch {batch.number} is damaged", index=first))
            continue
        if first > place:
            result.findings.add(Finding("ledger", f"entries {place} to {first - 1} are in no batch", index=place))
            yield from [None] * (first - place)
            place = first
        elif first < place and first >= start:
            result.findings.add(Finding("ledger", f"the batch {batch.number} overlaps the one before", index=first))
        if first >= start:
            rows.check(batch)
        leaves = _leaves_of(batch)[place - first : end - first]
        yield from leaves
        place += len(leaves)
    if place < end:
        result.findings.add(Finding("ledger", f"entries {place} to {end - 1} are in no batch", index=place))
        yield from [None] * (end - place)


def _leaves_of(batch: Row[Any]) -> Sequence[bytes | None]:
    if batch.commitments is None:
        return [None] * batch.size
    return leaf_hashes(entries_of(months_of(batch.months), batch.commitments))


def _check_nodes(connection: Connection, start: int, leaves: list[bytes | None], result: RangeResult) -> None:
    first, count = start // TILE_WIDTH, len(leaves) // TILE_WIDTH
    bounds = {"height": NODE_HEIGHT, "start": first, "end": first + count}
    stored = {row.number: row.hash for row in connection.execute(NODES, bounds)}
    for number in range(first, first + count):
        tile = leaves[number * TILE_WIDTH - start :][:TILE_WIDTH]
        hashes = [leaf for leaf in tile if leaf]
        begin, last = number * TILE_WIDTH, (number + 1) * TILE_WIDTH - 1
        if number not in stored:
            if len(hashes) == TILE_WIDTH and _is_built_beyond(connection, number):
                result.findings.add(
                    Finding("ledger", f"the node over the entries {begin} to {last} is gone", index=begin)
                )
        elif len(hashes) < TILE_WIDTH or _folded(hashes) != stored[number]:
            detail = f"the commitments of entries {begin} to {last} are not those that the tree was built over"
            result.findings.add(Finding("ledger", detail, index=begin))


def _is_built_beyond(connection: Connection, number: int) -> bool:
    """Whether the tree was built up to a node or later: before the adoption of events it ends earlier."""
    bounds = {"height": NODE_HEIGHT, "start": number, "end": 1 << 62}
    rooted = select(ledger_checkpoints.c.size).where(
        ledger_checkpoints.c.size > number * TILE_WIDTH, ledger_checkpoints.c.root.is_not(None)
    )
    return bool(connection.execute(NODES.limit(1), bounds).first() or connection.execute(rooted.limit(1)).first())


def _check_checkpoints(connection: Connection, start: int, end: int, result: RangeResult) -> None:
    found = connection.execute(_CHECKPOINTS, {"start": start, "end": end}).all()
    origin, raw_keys = origin_and_keys(connection)
    keys = public_keys(origin, raw_keys) if origin and raw_keys else None
    full_subtree = full_subtrees(connection)
    for row in found:
        if row.root is None and row.note is None:
            continue
        try:
            computed = root(row.size, full_subtree)
        except (LedgerIncompleteError, IndexError):
            result.checkpoints.append((row.size, "the entries before it cannot be read"))
            continue
        problem = None if row.root == computed else "it is not that of the entries"
        if row.note is not None:
            problem = problem or note_problem(row.note.encode(), row.size, computed, origin, keys)
            result.signatures += 1 if keys and not problem else 0
        result.checkpoints.append((row.size, problem))


def note_problem(note: bytes, size: int, computed: bytes, origin: str | None, keys: LedgerKeys | None) -> str | None:
    """Return why a note is not a checkpoint of a ledger with this root. Signatures are checked if there are keys."""
    try:
        parsed = parse_note(note)
        checkpoint = parse_checkpoint(parsed.text)
    except (MalformedNoteError, MalformedCheckpointError):
        return "its note is malformed"
    if checkpoint.origin != origin or checkpoint.size != size:
        return "its note is that of another ledger or size"
    if keys and not keys.signed(parsed):
        return "its note has no valid signature of the ledger's keys"
    return None if checkpoint.root == computed else "other entries were signed"


def _folded(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = level_above(hashes)
    return hashes[0]
