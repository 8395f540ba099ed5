"""The write-ahead log keeps within its bounds, also with readers."""

import itertools
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.stores.dialects import sqlite_wal
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.support.builders import event

KEPT = 200_000
BOUND = 500_000
MUCH = 5_000_000
NUMBERS = itertools.count(1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit-log.db"


@pytest.fixture
def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlEventStore]:
    for name, value in {"_KEPT_BYTES": KEPT, "_MAX_BYTES": BOUND, "_CHECKPOINT_PAGES": 20, "_PAUSE_SECONDS": 0}.items():
        monkeypatch.setattr(sqlite_wal, name, value)
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    store = SqlEventStore(engine)
    yield store
    store.close()


def size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def fill(store: SqlEventStore, target: int) -> None:
    """Store events until as many bytes have gone through the log."""
    for _ in range(target // 100_000):
        store.add([event(next(NUMBERS), event_data={"text": "x" * 100_000})])


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A transaction that reads the database as it is now."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        yield


def test_the_log_shrinks_once_a_long_read_has_ended(
    store: SqlEventStore, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_wal, "_WAIT_SECONDS", 0.01)
    with reading(path):
        fill(store, MUCH)
        assert size(path) > MUCH
    records = [record for record in caplog.records if record.message == "write_ahead_log_not_truncated"]
    assert [record.levelno for record in records] == [logging.WARNING]
    fill(store, 100_000)
    assert size(path) < BOUND


def test_reads_that_always_overlap_do_not_let_the_log_grow(store: SqlEventStore, path: Path) -> None:
    store.add([event(0)])
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with reading(path):
                stop.wait(0.05)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        fill(store, MUCH)
        assert size(path) < BOUND
    finally:
        stop.set()
        for reader in readers:
            reader.join()
