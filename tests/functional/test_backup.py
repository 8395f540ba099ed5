"""A backup is whole, of one moment, and never half there."""

import resource
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event as Flag

import pytest

from core.domain.queries import EventFilter, PageRequest
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.sql import SqlEventStore
from local_runner.cli.sqlite_backup import BackupError, back_up
from tests.support import databases
from tests.support.builders import event
from tests.support.waiting import SECONDS


@pytest.fixture(scope="module")
def many_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 20,000 events, to be copied."""
    path = tmp_path_factory.mktemp("many") / "audit-log.db"
    url = f"sqlite:///{path}"
    databases.copy_migrated(url)
    with databases.opened(url) as engine:
        SqlEventStore(engine).add([event(number, event_data={"text": "x" * 500}) for number in range(20_000)])
    return path


@pytest.fixture
def source(settings: Settings, many_events: Path) -> Path:
    return Path(shutil.copy(many_events, settings.data_dir))


@pytest.fixture
def sqlite_store(source: Path, sqlite_store: SqlEventStore) -> SqlEventStore:  # noqa: ARG001 - copied before
    """A store that has `source` open."""
    return sqlite_store


def quietly(_done: int, _total: int) -> None:
    pass


def test_a_backup_holds_what_was_there_when_it_began_whatever_is_added_meanwhile(
    source: Path, sqlite_store: SqlEventStore, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    steps: list[tuple[int, int]] = []
    begun, added = Flag(), Flag()

    def add() -> None:
        begun.wait(SECONDS)
        sqlite_store.add([event(number) for number in range(20_000, 20_100)])
        added.set()

    def note(done: int, total: int) -> None:
        steps.append((done, total))
        begun.set()
        added.wait(SECONDS)

    with ThreadPoolExecutor() as pool:
        pool.submit(add)
        size = back_up(source, target, note)

    assert added.is_set()
    assert size == target.stat().st_size
    assert len(steps) > 2
    assert steps[-1][0] == steps[-1][1]
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM events").fetchone() == (20_000,)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("backup")) == ["backup.db"]


def test_a_restored_backup_is_a_database_to_go_on_with(source: Path, tmp_path: Path) -> None:
    back_up(source, tmp_path / "restored.db", quietly)
    store = SqlEventStore(open_engine(f"sqlite:///{tmp_path / 'restored.db'}"))
    assert store.get(event(7).event_id) == event(7, event_data={"text": "x" * 500})
    store.add([event(30_000)])
    assert store.find_page(EventFilter(), PageRequest(limit=1)).events == [event(30_000)]
    store.close()


def test_a_damaged_database_is_no_backup(source: Path, sqlite_store: SqlEventStore, tmp_path: Path) -> None:
    sqlite_store.close()  # puts all into the one file
    content = bytearray(source.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    source.write_bytes(content)
    with pytest.raises(BackupError, match=r"damaged|cannot be copied"):
        back_up(source, tmp_path / "backup.db", quietly)
    assert not list(tmp_path.glob("backup*"))


def test_what_is_there_is_not_written_over(source: Path, tmp_path: Path) -> None:
    (tmp_path / "backup.db").write_text("something dear")
    with pytest.raises(BackupError, match="exists already"):
        back_up(source, tmp_path / "backup.db", quietly)
    assert (tmp_path / "backup.db").read_text() == "something dear"


def test_a_place_that_cannot_be_written_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"none/backup\.db"):
        back_up(source, tmp_path / "none" / "backup.db", quietly)


def test_a_disk_that_is_full_keeps_nothing_of_the_copy(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(BackupError, match="cannot be copied"):
            back_up(source, target / "copy.db", quietly)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(target.iterdir()) == []


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audit-log.db").write_bytes(b"no database" * 1000)
    with pytest.raises(BackupError, match="not a database"):
        back_up(tmp_path / "audit-log.db", tmp_path / "backup.db", quietly)
    assert not list(tmp_path.glob("backup*"))
