"""Files that outlast crashes: a full disk, as a limit of the operating system, leaves no half-written one."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import AnchorUnavailableError
from core.ports.durable_files import PRIVATE, append, replace
from core.ports.ledger import SignedCheckpoint
from local_runner.background.anchors import FileAnchor

ROOM = 100


@contextmanager
def little_room() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_replaced_file_has_the_former_content_or_all_of_the_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, b"former", PRIVATE)
    with little_room(), pytest.raises(OSError, match="File too large"):
        replace(path, b"x" * 2 * ROOM, PRIVATE)
    assert ([each.name for each in tmp_path.iterdir()], path.read_bytes()) == (["file"], b"former")
    replace(path, b"new", PRIVATE)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", PRIVATE)


def test_an_append_that_writes_a_part_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    append(path, b"one", PRIVATE)
    with little_room(), pytest.raises(OSError, match="File too large"):
        append(path, b"x" * 2 * ROOM, PRIVATE)
    append(path, b"two", PRIVATE)
    assert (path.read_bytes()[:3], path.read_bytes()[-3:]) == (b"one", b"two")


def test_an_anchor_on_a_full_disk_has_not_kept_the_checkpoint(tmp_path: Path) -> None:
    with little_room(), pytest.raises(AnchorUnavailableError, match="File too large"):
        FileAnchor(tmp_path / "anchor").keep(SignedCheckpoint(1, b"x" * ROOM))
