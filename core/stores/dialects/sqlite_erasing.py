"""Erasure on SQLite: removes erased content from the full-text index, from free pages and from the write-ahead log."""

import math
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine

from core.domain.models import Event
from core.stores.dialects import Scrubbed
from core.stores.dialects.sqlite_terms import index_terms

_MERGED_PAGES: Final = 200
_PADDING_PAGES: Final = 256
_WAIT_SECONDS: Final = 30.0
_LOG_LEFT: Final = (
    "the write-ahead log of SQLite, which a reader holds: it is overwritten in time; to empty it now, end backups and "
    "database shells, and erase again"
)


def begin(connection: Connection) -> None:
    """Begin a transaction that excludes other writers, and overwrites deleted content with zeros."""
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def replace_terms(connection: Connection, before: Sequence[Event], after: Sequence[Event]) -> None:
    """Replace the terms of events in the full-text index, which has to be given those that it has."""
    marks = ", ".join("?" * len(before))
    numbers: dict[str, int] = dict(
        connection.exec_driver_sql(
            f"SELECT event_id, number FROM events WHERE event_id IN ({marks})",  # noqa: S608 - question marks
            tuple(event.event_id for event in before),
        ).all()
    )

    def terms(events: Sequence[Event]) -> list[tuple[Any, ...]]:
        return [
            (numbers[each.event_id], index_terms(each.customer_id, each.event_type, each.event_data)) for each in events
        ]

    delete = "INSERT INTO event_terms (event_terms, rowid, words) VALUES ('delete', ?, ?)"
    connection.exec_driver_sql(delete, terms(before))
    connection.exec_driver_sql("INSERT INTO event_terms (rowid, words) VALUES (?, ?)", terms(after))


def scrub(engine: Engine, seconds: float | None) -> Scrubbed:
    """Merge the full-text index, overwrite free pages, and empty the write-ahead log.

    Each step is a short transaction, so that writers wait briefly.
    """
    end = time.monotonic() + (math.inf if seconds is None else seconds)
    with engine.connect() as connection:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        isolation, driver.isolation_level = driver.isolation_level, None
        try:
            driver.execute("PRAGMA secure_delete=ON")
            if not (_merge_terms(driver, end) and _overwrite_free_pages(driver, end)):
                return Scrubbed("the search index and free pages of SQLite", done=False)
            emptied = _empty_log(driver, min(end, time.monotonic() + _WAIT_SECONDS))
            return Scrubbed() if emptied else Scrubbed(_LOG_LEFT, done=False)
        finally:
            driver.isolation_level = isolation


def _merge_terms(driver: sqlite3.Connection, end: float) -> bool:
    """Merge the segments of the index into one: others keep the terms of deleted rows. Return whether it is done.

    https://www.sqlite.org/fts5.html#the_merge_command
    """
    pages = -_MERGED_PAGES  # a negative number begins with all segments, and continues a merge that was begun
    while time.monotonic() < end:
        before = driver.total_changes
        driver.execute("INSERT INTO event_terms (event_terms, rank) VALUES ('merge', ?)", (pages,))
        if driver.total_changes - before < 2:  # noqa: PLR2004 - the command itself counts as one
            return True
        pages = _MERGED_PAGES
    return False


def _overwrite_free_pages(driver: sqlite3.Connection, end: float) -> bool:
    """Use all free pages for zeros, and free them again: they keep the content of rows and segments moved elsewhere.

    Return whether it is done. Pages that an interrupted call overwrote are in use until the next one frees them.
    """
    ((size,), (left,)) = (driver.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "freelist_count"))
    driver.execute("CREATE TABLE IF NOT EXISTS erasure_padding (zeros BLOB)")
    while left > 0:
        if time.monotonic() > end:
            return False
        (free,) = driver.execute("PRAGMA freelist_count").fetchone()
        pages = min(free, left, _PADDING_PAGES)
        if not pages:
            break
        driver.execute("INSERT INTO erasure_padding VALUES (zeroblob(?))", (pages * size,))
        left -= pages
    while driver.execute(
        "DELETE FROM erasure_padding WHERE rowid IN (SELECT rowid FROM erasure_padding LIMIT 1)"
    ).rowcount:
        pass
    driver.execute("DROP TABLE erasure_padding")
    return True


def _empty_log(driver: sqlite3.Connection, end: float) -> bool:
    while True:
        (blocked, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not blocked or time.monotonic() > end:
            return not blocked
        time.sleep(0.05)
