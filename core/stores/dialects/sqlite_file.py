"""Database file of SQLite: created for its owner only, opened only if it exists, and missed if it is replaced.

A process keeps using a file that was deleted or replaced at its path, and so would the event store: what it commits
then is gone with the process. So each use of a connection checks that its file is the one at the path.
"""

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import StoreUnavailableError

_IDENTITY: Final = "sqlite_file_identity"


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

    def open_existing(_dialect: object, _record: object, arguments: list[Any], parameters: dict[str, Any]) -> None:
        _read_identity(path)  # has the clearer error
        arguments[0] = f"file:{quote(str(path))}?mode=rw"
        parameters["uri"] = True

    def remember(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_IDENTITY] = _read_identity(path)

    def check_out(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if _read_identity(path) != record.info[_IDENTITY]:
            raise DisconnectionError  # SQLAlchemy opens the new file instead

    event.listen(engine, "do_connect", open_existing)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", check_out)


def check(connection: Connection) -> None:
    """Check that a connection's file is still the one at its path, so that what it committed is in the database.

    Raises:
        StoreUnavailableError: it is not.
    """
    path = path_of(connection.engine.url)
    if path is not None and _read_identity(path) != connection.info[_IDENTITY]:
        raise StoreUnavailableError("The database file was replaced: try again.") from FileExistsError(str(path))


def _read_identity(path: Path) -> tuple[int, int]:
    """Return device and inode of the file."""
    try:
        found = path.stat()
    except FileNotFoundError as exc:
        raise StoreUnavailableError("The database file is missing: restore it, or restart the service.") from exc
    except OSError as exc:
        raise StoreUnavailableError(
            f"The database file cannot be looked at ({exc.strerror}): see to its directory."
        ) from exc
    return found.st_dev, found.st_ino
