"""The file system for adapters that keep something: files outlast a crash and a power cut as soon as a call returns."""

import contextlib
import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""Mode of files that their owner alone may read."""
PUBLIC: Final = 0o666
"""Mode of files that others may read as well, as far as the umask of the process allows it."""


def replace(path: Path, content: bytes, mode: int) -> None:
    """Give a file this content, and `mode` if it is new: whatever happens, it has the former content or all of this.

    Raises:
        OSError: it has the former content; or this, which may not outlast a power cut.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(draft, content, os.O_TRUNC, mode)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync(path.parent)


def append(path: Path, content: bytes, mode: int) -> None:
    """Append to a file, which gets `mode` if it is new.

    Raises:
        OSError: a part of `content` may be at its end.
    """
    _write(path, content, os.O_APPEND, mode)


def sync(path: Path) -> None:
    """Sync a file that is not open, or a directory: the names created, changed and removed in it.

    Raises:
        OSError: it may not outlast a power cut.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, flag: int, mode: int) -> None:
    # Not os.write, which writes a part and raises nothing when a disk fills up.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
