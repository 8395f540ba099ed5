"""Faults of the ledger: processes that store and integrate die before any of their statements and commits.

As a program: `python -m tests.faults.ledger URL STEP` stores the batches of events that it reads, one in a line,
answers each with its number, and kills itself by SIGKILL before its STEP-th statement or commit; 0: never.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Engine
from sqlalchemy import event as sqlalchemy_event

from core.domain.models import Event
from core.errors import StoreUnavailableError
from core.stores.engine import open_engine
from core.stores.ledger.integration import Ledger
from core.stores.migrations.upgrade import migrate
from core.stores.sql import SqlEventStore
from tests.faults.load import AcceptanceRecorder, Verdict, judge, new_event
from tests.support import databases
from tests.support.ledger import faults, indices, places

_ROOT: Final = Path(__file__).parents[2]
_BATCH: Final = TypeAdapter[list[Event]](list[Event])
_SERVERS: Final = {"PostgreSQL": databases.POSTGRESQL, "MariaDB": databases.MARIADB}
_PROCESSES: Final = 2
_MOST_STEPS: Final = 60
"""About as many statements and commits as storing and integrating a process's share of the batches takes."""

Batch = list[Event]


def killed_at_any_statement(rounds: int, database: str) -> Verdict:
    """Kill processes that store and integrate at once; redeliver the batches that they did not acknowledge."""
    recorder = AcceptanceRecorder()
    with database_of(database) as url, databases.opened(url) as engine:
        migrate(engine)
        waiting: list[Batch] = []
        for _ in range(rounds):
            waiting += [[new_event(recorder) for _ in range(random.randint(1, 20))] for _ in range(6)]  # noqa: S311 - no secret
            steps = [random.randint(1, _MOST_STEPS) for _ in range(_PROCESSES)]  # noqa: S311 - the same
            waiting = _store(url, waiting, recorder, steps)
        while waiting:
            waiting = _store(url, waiting, recorder, [0] * _PROCESSES)
        while Ledger(engine).integrate():
            pass
        verdict = judge(recorder, url)
        without_index = places(engine).keys() - indices(engine).keys()
        return replace(verdict, unexpected=verdict.unexpected + len(faults(engine)) + len(without_index))


@contextmanager
def database_of(name: str) -> Iterator[str]:
    """Yield the URL of a new, empty database that is dropped in the end: `SQLite`, `PostgreSQL` or `MariaDB`."""
    if name in _SERVERS:
        with databases.throwaway(_SERVERS[name]) as url:
            yield url
    else:
        with TemporaryDirectory(prefix="audit-log-ledger-") as directory:
            yield f"sqlite:///{directory}/audit-log.db"


def _store(url: str, waiting: Sequence[Batch], recorder: AcceptanceRecorder, steps: Sequence[int]) -> list[Batch]:
    """Store batches, each by one process and the first one by all; return those that none acknowledged."""
    shares = [[waiting[0], *waiting[1:][number :: len(steps)]] for number in range(len(steps))]
    with ThreadPoolExecutor(len(steps)) as pool:
        acknowledged = [batch for batches in pool.map(_run, [url] * len(steps), shares, steps) for batch in batches]
    recorder.acknowledged |= {item.event_id: 0.0 for batch in acknowledged for item in batch}
    return [batch for batch in waiting if batch not in acknowledged]


def _run(url: str, batches: Sequence[Batch], step: int) -> list[Batch]:
    """Run a process that kills itself; return the batches that it acknowledged."""
    lines = b"".join(_BATCH.dump_json(batch) + b"\n" for batch in batches)
    command = [sys.executable, "-m", "tests.faults.ledger", url, str(step)]
    done = subprocess.run(command, cwd=_ROOT, input=lines, stdout=subprocess.PIPE, timeout=120, check=False)
    if done.returncode not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"a process ended with status {done.returncode}")
    return [batches[int(number)] for number in done.stdout.split()]


def main(url: str, step: int) -> None:
    """Store batches from standard input and integrate after each, until killed."""
    engine = open_engine(url)
    _die_before(engine, step)
    store, ledger = SqlEventStore(engine), Ledger(engine)
    for number, line in enumerate(sys.stdin):
        with suppress(StoreUnavailableError):  # SQLite is busy: as if not acknowledged
            store.add(_BATCH.validate_json(line))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            ledger.integrate()


def _die_before(engine: Engine, step: int) -> None:
    steps = count(1)

    def look(*_arguments: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlalchemy_event.listen(engine, "before_cursor_execute", look)
    sqlalchemy_event.listen(engine, "commit", look)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
