"""Database file of SQLite: created for its owner only, opened only if it exists, and missed if it is replaced.

A process keeps using a file that was deleted or replaced at its path, and so would the event store: what it commits
then is gone with the process. So each use of a connection checks that its file is the one at the path.

A reader of a database in WAL mode needs its write-ahead log, and creates one if no process has the database open. In
a directory that cannot be written, such as a snapshot or one of another user, SQLite reads the file alone if it is
declared immutable (https://www.sqlite.org/wal.html#readonly). It then neither locks the file nor sees a log, so each
use of such a connection checks that the file has not changed and that there is still no log.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import StoreUnavailableError

_IDENTITY: Final = "sqlite_file_identity"
_IMMUTABLE: Final = "sqlite_file_immutable"


def path_of(url: URL) -> Path | None:
    """Return the path of the database file; None for a database in memory or a URL that SQLite interprets itself."""
    name = url.database or ""
    return None if name in {"", ":memory:"} or "uri" in url.query else Path(name).absolute()


def create(url: URL) -> None:
    """Create an empty database file, readable for its owner only, unless there is one.

    SQLite gives the write-ahead log the same mode.

    Raises:
        OSError: the file cannot be created.
    """
    path = path_of(url)
    if path is not None and not path.exists():  # opening an existing file would release the locks of this process
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def watch(engine: Engine) -> None:
    """Let the connections of an engine open the file without creating it, and check it at each checkout."""
    path = path_of(engine.url)
    if path is None:
        return

    def open_existing(_dialect: object, record: ConnectionPoolEntry, arguments: list[Any], parameters: Any) -> None:
        record.info[_IMMUTABLE] = immutable = is_immutable(path)
        record.info[_IDENTITY] = _read_identity(path, immutable=immutable)  # has the clearer error
        arguments[0] = uri(path, immutable=immutable, mode="rw")
        parameters["uri"] = True

    def check_out(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if _is_replaced(path, record.info):
            raise DisconnectionError  # SQLAlchemy opens the new file instead

    event.listen(engine, "do_connect", open_existing)
    event.listen(engine, "checkout", check_out)


def check(connection: Connection) -> None:
    """Check that a connection's file is still the one at its path, so that what it committed is in the database.

    Raises:
        StoreUnavailableError: it is not.
    """
    path = path_of(connection.engine.url)
    if path is not None and _is_replaced(path, connection.info):
        raise StoreUnavailableError("The database file was replaced or changed: try again.") from FileExistsError(
            str(path)
        )


def is_immutable(path: Path) -> bool:
    """Whether the file is to be declared immutable: nothing can be created next to it, and there is no log."""
    return not os.access(path.parent, os.W_OK, effective_ids=True) and not _log_of(path).exists()


def uri(path: Path, *, immutable: bool, mode: str = "ro") -> str:
    """Return the URI by which SQLite opens an existing file: https://www.sqlite.org/uri.html."""
    return f"file:{quote(str(path))}?" + ("mode=ro&immutable=1" if immutable else f"mode={mode}")


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _is_replaced(path: Path, info: Mapping[str, Any]) -> bool:
    return bool(_read_identity(path, immutable=info[_IMMUTABLE]) != info[_IDENTITY])


def _read_identity(path: Path, *, immutable: bool) -> tuple[int, ...]:
    """Return device and inode of the file, and what changes with the content of a file opened as immutable."""
    try:
        found = path.stat()
    except FileNotFoundError as exc:
        exc.add_note(f"database file: {path}")
        raise StoreUnavailableError("The database file is missing: restore it, or restart the service.") from exc
    except OSError as exc:
        raise StoreUnavailableError(
            f"The database file cannot be looked at ({exc.strerror}): see to its directory."
        ) from exc
    content = (found.st_mtime_ns, found.st_size, _log_of(path).exists()) if immutable else ()
    return found.st_dev, found.st_ino, *content
