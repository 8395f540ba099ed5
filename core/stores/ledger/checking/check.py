"""The check of a whole ledger: ranges of entries in parallel, and meanwhile the events that have no entry."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final

from sqlalchemy import Connection, Engine, func, select

from core.ledger.checkpoints import MalformedCheckpointError, parse_checkpoint
from core.ledger.keys import public_keys
from core.ledger.notes import MalformedNoteError, parse_note
from core.ledger.tree import root
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.ledger.checking.findings import Finding, RangeResult, Report
from core.stores.ledger.checking.membership import Membership
from core.stores.ledger.checking.ranges import LEAVES, check_range, check_range_at, check_upper_nodes, note_problem
from core.stores.ledger.checking.retention import explain
from core.stores.ledger.identity import origin_and_keys
from core.stores.ledger.stored_tree import LedgerIncompleteError, full_subtrees
from core.stores.schema import ledger_batches, ledger_checkpoints

Progress = Callable[[int, int], None]
"""Gets the number of steps that were done since the last call, and the number of all: an entry and an event each."""

_LAST: Final = (
    select(ledger_batches.c.first_index + ledger_batches.c.size)
    .where(ledger_batches.c.first_index.is_not(None))
    .order_by(ledger_batches.c.first_index.desc())
    .limit(1)
)
# One statement, so that the two are of the same moment.
_SIZES: Final = select(
    select(func.coalesce(func.max(ledger_checkpoints.c.size), 0)).scalar_subquery(),
    func.coalesce(_LAST.scalar_subquery(), 0),
)


def _no_progress(_done: int, _total: int) -> None:
    pass


def check_ledger(
    engine: Engine, *, last_note: bytes | None = None, processes: int = 0, progress: Progress = _no_progress
) -> Report:
    """Recompute the ledger from the stored events. Writers may append entries meanwhile, which are not checked.

    Args:
        engine: Of the database.
        last_note: The last checkpoint that the guard remembers, if it is on this host.
        processes: Number of processes to check ranges in; 0: this one.
        progress: See `Progress`.

    Raises:
        StoreUnavailableError: the database is unreachable; trying again later helps.
    """
    result = RangeResult()
    with open_connection(engine) as connection:
        size, end = connection.execute(_SIZES).one()
        if size != end:
            detail = f"the newest checkpoint has {size} entries, and the batches have {end}"
            result.findings.add(Finding("ledger", detail))
            size = max(size, end)
        total = 2 * size
        membership = Membership(connection, dialect_of(engine))
        ranges = _ranges(engine, size, processes)
        strangers = list(membership.strangers(lambda done: progress(done, max(total, size + membership.events))))
        for part in ranges:
            result.merge(part)
            progress(sum(part.months.values()), total)
        check_upper_nodes(connection, size, result)
        guard = _check_guard(connection, size, last_note, result)
        _name_checkpoints(result)
        dropped = explain(connection, result.gaps, result.months, result.findings)
    moved = {finding.event_id for finding in result.findings.named if finding.kind == "moved"}
    for event_id, problem in strangers:
        if event_id not in moved:
            result.findings.add(Finding("added", problem, event_id))
    return Report(
        size=size,
        events=membership.events,
        erased=result.erased,
        dropped=dropped,
        uncommitted=result.uncommitted,
        signatures=result.signatures,
        guard=guard,
        findings=result.findings,
    )


def _ranges(engine: Engine, size: int, processes: int) -> Iterator[RangeResult]:
    """Return the results of all ranges, in any order. With processes, these begin at once."""
    bounds = [(start, min(start + LEAVES, size)) for start in range(0, size, LEAVES)]
    if not processes:
        return (check_range(engine, start, end) for start, end in bounds)
    url = engine.url.render_as_string(hide_password=False)
    pool = ProcessPoolExecutor(processes, get_context("spawn"))
    futures = [pool.submit(check_range_at, url, start, end) for start, end in bounds]

    def results() -> Iterator[RangeResult]:
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    return results()


def _check_guard(connection: Connection, size: int, last_note: bytes | None, result: RangeResult) -> int | None:
    """Check that the ledger continues the checkpoint in the guard; return its size."""
    if last_note is None:
        return None
    try:
        signed: int = parse_checkpoint(parse_note(last_note).text).size
    except (MalformedNoteError, MalformedCheckpointError):
        result.findings.add(Finding("ledger", "the checkpoint in the guard is damaged"))
        return None
    origin, raw = origin_and_keys(connection)
    if signed > size:
        problem: str | None = "the ledger is shorter"
    else:
        problem = _guard_problem(connection, last_note, signed, origin, raw)
    if problem:
        detail = f"the guard remembers a signed checkpoint of {signed} entries: {problem}"
        result.findings.add(Finding("ledger", detail))
    return signed


def _guard_problem(connection: Connection, note: bytes, size: int, origin: str | None, raw: list[bytes]) -> str | None:
    try:
        computed = root(size, full_subtrees(connection))
    except (LedgerIncompleteError, IndexError):
        return "the entries before it cannot be read"
    return note_problem(note, size, computed, origin, public_keys(origin, raw) if origin and raw else None)


def _name_checkpoints(result: RangeResult) -> None:
    """Add a finding for the first checkpoint that is wrong: it bounds the place of a change, and others follow it."""
    good = 0
    for size, problem in sorted(result.checkpoints):
        if problem is None:
            good = size
            continue
        wrong = sum(1 for _, each in result.checkpoints if each)
        detail = f"the checkpoint of {size} entries: {problem} (entries {good} to {size - 1}; {wrong} such checkpoints)"
        result.findings.add(Finding("ledger", detail, index=good))
        return
