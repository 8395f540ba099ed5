"""A copy of a SQLite database that is in use, whole and proven so."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from core.errors import AuditLogError

_PAGES_AT_ONCE: Final = 1_000  # 4 MB: between two steps the service may write

Progress = Callable[[int, int], None]
"""Called with the pages copied so far and the pages in all."""


class BackupError(AuditLogError):
    """There is no backup. The message says what stood in the way; nothing half-done is left behind."""


def back_up(source: Path, target: Path, on_progress: Progress) -> int:
    """Copy a SQLite database as it is at one moment, while others write to it; its size in bytes.

    SQLite's online backup (https://www.sqlite.org/backup.html). The copy gets its name once it is whole, has passed an
    integrity check and is on disk.

    Raises:
        BackupError: the source cannot be read or is damaged, or the target is there already or cannot be written.
    """
    if target.exists():
        raise BackupError(f"{target} is there already: name another file, or remove it.")
    draft = target.with_name(f"{target.name}.part")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        _copy(source, draft, on_progress)
        _require_whole(draft)
        _sync(draft)
        draft.rename(target)
        _sync(target.parent)
        return target.stat().st_size
    except (sqlite3.Error, OSError) as exc:
        raise BackupError(f"{source} cannot be copied to {target} ({exc}).") from exc
    finally:
        draft.unlink(missing_ok=True)


def _copy(source: Path, draft: Path, on_progress: Progress) -> None:
    # Read by a connection with a transaction of its own: the copy is of one moment and never starts over.
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as origin:
        origin.execute("BEGIN")
        origin.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(draft)) as copy:
            origin.backup(
                copy, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: on_progress(total - left, total), sleep=0
            )
            # One file, with no log beside it that could be forgotten.
            copy.execute("PRAGMA journal_mode=DELETE")


def _require_whole(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        findings = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if findings != ["ok"]:
        raise BackupError(f"The database is damaged, and so would be its copy: {'; '.join(findings)}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
