"""Online backup of a SQLite database: a checked copy, taken while the service writes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from core.errors import AuditLogError
from core.ports.durable_files import PRIVATE, sync
from core.stores.dialects import sqlite_file

_PAGES_PER_STEP: Final = 1_000  # 4 MB: between two steps the service can write

Progress = Callable[[int, int], None]
"""Called with the number of pages copied so far and the number of all pages."""


class BackupError(AuditLogError):
    """No backup was made. The message says why; no partial copy is left behind."""


def back_up(source: Path, target: Path, on_progress: Progress) -> int:
    """Copy a SQLite database in its state of one moment, while others write to it; return the copy's size in bytes.

    Uses SQLite's online backup (https://www.sqlite.org/backup.html). The copy gets its name once it is complete, has
    passed an integrity check and is on disk.

    Raises:
        BackupError: the source cannot be read or is damaged, or the target exists or cannot be written.
    """
    if target.exists():
        raise BackupError(f"{target} exists already: remove it, or name another directory.")
    draft = target.with_name(f"{target.name}.part")
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=PRIVATE)
        _copy(source, draft, on_progress)
        _check_integrity(draft)
        sync(draft)
        draft.rename(target)
        sync(target.parent)
        return target.stat().st_size
    except (sqlite3.Error, OSError) as exc:
        raise BackupError(f"{source} cannot be copied to {target} ({exc}).") from exc
    finally:
        for left in (draft, draft.with_name(f"{draft.name}-journal")):
            left.unlink(missing_ok=True)


def _copy(source: Path, draft: Path, on_progress: Progress) -> None:
    # The source is read in one transaction, so that the copy is of one moment and never starts over.
    address = sqlite_file.uri(source.absolute(), immutable=sqlite_file.is_immutable(source))
    with closing(sqlite3.connect(address, uri=True)) as origin:
        origin.execute("BEGIN")
        origin.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(draft)) as copy:
            origin.backup(
                copy, pages=_PAGES_PER_STEP, progress=lambda _, left, total: on_progress(total - left, total), sleep=0
            )
            # A single file, without a write-ahead log that could be left behind.
            copy.execute("PRAGMA journal_mode=DELETE")


def _check_integrity(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        findings = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if findings != ["ok"]:
        raise BackupError(f"The database is damaged, and a copy would be as well: {'; '.join(findings)}")
