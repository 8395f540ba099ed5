"""Write-ahead log of SQLite (https://www.sqlite.org/wal.html): lets readers not wait for the writer, within bounds.

SQLite copies the log into the database at every checkpoint, and then overwrites it from the start, but only while no
reader needs it: during a long read, or short ones that always overlap, it grows. It never shrinks by itself. So it is
truncated when it is overwritten, and a writer that finds it too large waits briefly for the readers.
"""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event

from core.stores.dialects.sqlite_file import path_of

BUSY_SECONDS: Final = 5.0
"""Wait of a connection for the locks of others."""

_CHECKPOINT_PAGES: Final = 8_000  # 32 MB: a page that several batches change is written to the database once
_KEPT_BYTES: Final = 64 * 1024 * 1024
_MAX_BYTES: Final = 128 * 1024 * 1024
_WAIT_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 5.0
_REPORT_SECONDS: Final = 60.0
_ACTION: Final = "Look for a connection that reads for long, such as a backup or a database shell, and end it."

_log = logging.getLogger(__name__)


def switch_on(connection: sqlite3.Connection) -> None:
    """Put the database into WAL mode, which the file keeps, and bound its log.

    SQLite's busy timeout does not cover this switch, so it is repeated for as long.

    Raises:
        sqlite3.Error: the file is unusable, or locked by other connections for longer than the timeout.
    """
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={_KEPT_BYTES}")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def truncate_when_large(engine: Engine) -> None:
    """Let an engine's connections truncate the log after use if it exceeds its bound.

    New readers meanwhile read the database alone, so that only those are waited for that have already begun.
    """
    path = path_of(engine.url)
    if path is None:
        return
    log = path.with_name(f"{path.name}-wal")
    next_attempt = next_report = 0.0

    def truncate(connection: sqlite3.Connection | None, _record: object) -> None:
        nonlocal next_attempt, next_report
        now = time.monotonic()
        if connection is None or now < next_attempt or _size(log) <= _MAX_BYTES:
            return
        next_attempt = now + _PAUSE_SECONDS
        if not _truncate(connection) and now >= next_report:
            next_report = now + _REPORT_SECONDS
            _log.warning("write_ahead_log_not_truncated", extra={"bytes": _size(log), "action": _ACTION})

    event.listen(engine, "checkin", truncate)


def _truncate(connection: sqlite3.Connection) -> bool:
    """Move the log into the database and cut it; return whether no reader prevented it."""
    (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
    try:
        connection.execute(f"PRAGMA busy_timeout={_WAIT_SECONDS * 1000:.0f}")
        (blocked, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False  # the next use of the connection reports the error
    finally:
        connection.execute(f"PRAGMA busy_timeout={timeout}")
    return not blocked


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
