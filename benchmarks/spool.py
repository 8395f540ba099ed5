"""`python -m benchmarks.spool`: compares the spool's segment file with SQLite and LMDB, in turns within one run.

Each contender keeps single events of 300 bytes, first from one publisher and then from 64 threads at once, forgets them
in batches of 1,000 as the consumer does, and reads the rest back as another process would. In the mode `process` an
event is with the operating system when `append` returns, in the mode `disk` it is synced; there, the databases commit
for all who wait at once, as the segment file does. LMDB takes part if it is installed (`pip install lmdb`).
"""

from __future__ import annotations

import argparse
import sqlite3
import struct
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.table import Table

from local_runner.spool.disk_spool import DiskSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAYLOAD = b'{"event_type":"user.login","customer_id":42,"event_data":{"x":"' + b"y" * 235 + b'"}}'
PUBLISHERS = 64
BATCH = 1_000


class Contender(Protocol):
    """A candidate: keeps payloads, forgets them by number, and replays the others."""

    def append(self, payloads: Sequence[bytes], sent_at: float) -> Sequence[int]:
        """Keep them; their numbers."""

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """Forget them."""

    def replay(self) -> int:
        """Read all that is left, in batches; how many there were."""

    def close(self) -> None:
        """Let go of the files."""


class SegmentFile(DiskSpool):
    """The spool of the service."""

    def __init__(self, folder: Path, mode: Any) -> None:
        super().__init__(folder / "spool", mode)

    def replay(self, at_most: int = BATCH) -> Any:
        """See `Contender.replay`."""
        return sum(len(records) for records in iter(lambda: super(SegmentFile, self).replay(at_most), []))


class Database:
    """One transaction for one publish, or, where a commit is a sync, for all who wait at the time."""

    def __init__(self, mode: str) -> None:
        self._groups = mode == "disk"
        self._lock = Lock()
        self._gathering = Lock()
        self._pending: list[tuple[int, float, bytes]] = []
        self._next = 1
        self._committed = 0

    def append(self, payloads: Sequence[bytes], sent_at: float) -> range:
        """See `Contender.append`. A group is numbered as it gathers; the first publisher with the lock commits it."""
        if not self._groups:
            with self._lock:
                numbers = range(self._next, self._next + len(payloads))
                self._next = numbers.stop
                self.insert([(number, sent_at, payload) for number, payload in zip(numbers, payloads, strict=True)])
                return numbers
        with self._gathering:
            numbers = range(self._next, self._next + len(payloads))
            self._next = numbers.stop
            self._pending += [(number, sent_at, payload) for number, payload in zip(numbers, payloads, strict=True)]
        with self._lock:
            if self._committed < numbers.stop:
                with self._gathering:
                    rows, self._pending = self._pending, []
                self.insert(rows)
                self._committed = rows[-1][0] + 1
        return numbers

    def insert(self, rows: Sequence[tuple[int, float, bytes]]) -> None:
        """Commit the rows."""
        raise NotImplementedError


class Sqlite(Database):
    """A table in WAL mode; `synchronous=NORMAL` leaves the sync to the next checkpoint."""

    def __init__(self, folder: Path, mode: str) -> None:
        super().__init__(mode)
        self._connection = sqlite3.connect(folder / "spool.db", check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA synchronous={'FULL' if self._groups else 'NORMAL'}")
        self._connection.execute("CREATE TABLE IF NOT EXISTS spool (number INTEGER PRIMARY KEY, at REAL, payload BLOB)")

    def insert(self, rows: Sequence[tuple[int, float, bytes]]) -> None:
        """See `Database.insert`."""
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO spool VALUES (?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """See `Contender.acknowledge`."""
        with self._lock:
            self._connection.execute("DELETE FROM spool WHERE number BETWEEN ? AND ?", (numbers[0], numbers[-1]))

    def replay(self) -> int:
        """See `Contender.replay`."""
        count = 0
        cursor = self._connection.execute("SELECT number, at, payload FROM spool ORDER BY number")
        while rows := cursor.fetchmany(BATCH):
            count += len(rows)
        return count

    def close(self) -> None:
        """See `Contender.close`."""
        self._connection.close()


class Lmdb(Database):
    """A B-tree in a memory map. Without syncs, a power cut may leave it unreadable as a whole."""

    def __init__(self, folder: Path, mode: str) -> None:
        super().__init__(mode)
        self._environment = import_module("lmdb").open(str(folder / "lmdb"), map_size=1 << 30, sync=self._groups)

    def insert(self, rows: Sequence[tuple[int, float, bytes]]) -> None:
        """See `Database.insert`."""
        with self._environment.begin(write=True) as transaction:
            for number, sent_at, payload in rows:
                transaction.put(number.to_bytes(8, "big"), struct.pack(">d", sent_at) + payload, append=True)

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """See `Contender.acknowledge`."""
        with self._lock, self._environment.begin(write=True) as transaction:
            for number in numbers:
                transaction.delete(number.to_bytes(8, "big"))

    def replay(self) -> int:
        """See `Contender.replay`."""
        with self._environment.begin() as transaction:
            return sum(len(value) > 0 for _, value in transaction.cursor())

    def close(self) -> None:
        """See `Contender.close`."""
        self._environment.close()


CONTENDERS: dict[str, Callable[[Path, str], Any]] = {"segment file": SegmentFile, "SQLite": Sqlite}
if find_spec("lmdb"):
    CONTENDERS["LMDB"] = Lmdb


def main() -> None:
    """Take the turns, print the medians."""
    parser = argparse.ArgumentParser(description="Measure candidates for the queue's spool.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--events", type=int, default=20_000, help="in the mode process; a tenth of it in the mode disk"
    )
    options = parser.parse_args()
    for mode, events in (("process", options.events), ("disk", options.events // 10)):
        figures: dict[str, list[tuple[float, ...]]] = defaultdict(list)
        for _ in range(options.rounds):
            for name, contender in CONTENDERS.items():
                with tempfile.TemporaryDirectory(prefix="audit-log-spool-") as folder:
                    figures[name].append(turn(contender, Path(folder), mode, events))
        Console().print(table(mode, figures))


def turn(contender: Callable[[Path, str], Any], folder: Path, mode: str, events: int) -> tuple[float, ...]:
    """Events per second: of one publisher, of many, acknowledged, replayed after a restart."""
    spool: Contender = contender(folder, mode)
    alone = rate(events, lambda: [spool.append([PAYLOAD], 1.0) for _ in range(events)])
    share = events // PUBLISHERS
    with ThreadPoolExecutor(PUBLISHERS) as threads:
        publishers = [lambda: [spool.append([PAYLOAD], 1.0) for _ in range(share)]] * PUBLISHERS
        together = rate(share * PUBLISHERS, lambda: list(threads.map(lambda publish: publish(), publishers)))
    left: list[int] = []

    def acknowledge() -> None:
        for first in range(1, events, BATCH):
            spool.acknowledge(range(first, first + BATCH))

    def restart() -> None:
        again: Contender = contender(folder, mode)
        left.append(again.replay())
        again.close()

    acknowledged = rate(events, acknowledge)
    spool.close()
    replayed = rate(share * PUBLISHERS, restart)
    assert left == [share * PUBLISHERS]
    return alone, together, acknowledged, replayed


def rate(count: int, work: Callable[[], object]) -> float:
    """How many of `count` the work did in a second."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def table(mode: str, figures: dict[str, list[tuple[float, ...]]]) -> Table:
    """Return the medians as a table, with the least and the most of the two rates that a client waits for."""
    result = Table(mode, title=f"Events per second, mode {mode}")
    for column in ("1 publisher", "min - max", f"{PUBLISHERS} publishers", "min - max", "acknowledged", "replayed"):
        result.add_column(column, justify="right")
    for name, rounds in figures.items():
        alone, together, acknowledged, replayed = zip(*rounds, strict=True)
        result.add_row(
            name, *spread(alone), *spread(together), f"{median(acknowledged):,.0f}", f"{median(replayed):,.0f}"
        )
    return result


def spread(rates: Sequence[float]) -> tuple[str, str]:
    """Median, and least and most."""
    return f"{median(rates):,.0f}", f"{min(rates):,.0f} - {max(rates):,.0f}"


if __name__ == "__main__":
    main()
