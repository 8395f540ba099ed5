"""The p99 of POST /event without a purge and during one: `python -m benchmarks.purge`, some minutes.

A new database is filled with old events. In each round wrk loads `audit-log serve` without a purge, then a retention
rule makes the next share of the old events due, and `audit-log retention apply` deletes them under the same load.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, not_, select

from benchmarks.generate import SECONDS, START, generate
from benchmarks.load import Load, bodies, requests_file, send
from core.domain.models import RESERVED_PREFIX
from core.stores.schema import events
from tests.support import databases
from tests.support.service import AUDIT_LOG, EXECUTED, Service, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOAL = 1.5
_END = START + timedelta(seconds=SECONDS)
_CALM_WINDOWS = 3
_COMMAND_SECONDS = 3_600


@dataclass(frozen=True)
class Round:
    """Windows of load without a purge, then during one, and the seconds of the purge.

    The purge ended in the last window. `busy` is the load average of the machine before the round.
    """

    calm: list[Load]
    windows: list[Load]
    seconds: float
    busy: float

    @property
    def during(self) -> list[Load]:
        """The windows in which the purge ran from begin to end; if it was shorter than one, that one."""
        return self.windows[:-1] or self.windows

    @property
    def ratio(self) -> float:
        """The median p99 during the purge to that without one."""
        return _p99_ms(self.during) / _p99_ms(self.calm)


def _p99_ms(windows: list[Load]) -> float:
    return median(load.p99_ms for load in windows)


def rounds(count: int, load: Callable[[], Load], settings: dict[str, str]) -> Iterator[Round]:
    """Load without a purge and during one, `count` times; the last purge deletes the rest of the old events."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        for number in range(1, count + 1):
            busy, calm, windows = os.getloadavg()[0], [load() for _ in range(_CALM_WINDOWS)], []
            boundary = START + timedelta(seconds=SECONDS * number / count)
            _retention(settings, "set", "--keep-days", str((datetime.now(UTC) - boundary).days))
            purge = beside.submit(_retention, settings, "apply", "--yes")
            while not purge.done():
                windows.append(load())
            yield Round(calm, windows, purge.result(), busy)


def _retention(settings: dict[str, str], *arguments: str) -> float:
    """Run `audit-log retention` in a separate process, and return the seconds that it took."""
    started = time.monotonic()
    command = [AUDIT_LOG, "retention", *arguments]
    subprocess.run(command, env=settings, check=True, stdout=subprocess.DEVNULL, timeout=_COMMAND_SECONDS)
    return time.monotonic() - started


def _counted(url: str) -> tuple[int, int]:
    """Return the numbers of new events and of old ones in the store, without those of the service itself."""
    is_old = events.c.timestamp_utc < int(_END.timestamp())
    of_clients = select(func.count()).where(not_(events.c.event_type.startswith(RESERVED_PREFIX)))
    with databases.opened(url) as engine, engine.connect() as connection:
        new, old = (connection.scalar(of_clients.where(each)) or 0 for each in (not_(is_old), is_old))
    return new, old


def _table(taken: list[Round]) -> Table:
    columns = ("load average", "p99 ms", "accepted/s", "p99 ms, purge", "accepted/s", "windows", "p99 ratio")
    table = Table(*columns, "purge, s", box=None)
    for each in taken:
        figures = [f"{each.busy:.1f}"]
        for windows in (each.calm, each.during):
            figures += [f"{_p99_ms(windows):.1f}", f"{median(load.rate for load in windows):,.0f}"]
        table.add_row(*figures, str(len(each.during)), f"{each.ratio:.2f}", f"{each.seconds:.1f}")
    return table


def main() -> None:
    """Fill, measure, count; exit with 1 if the goal is missed, an event was lost, or a due one is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="old events")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each window of load")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--database", help="PostgreSQL server to create a database on: postgresql+psycopg://...")
    options = parser.parse_args()
    with ExitStack() as opened:
        data = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="audit-log-bench-"))) / "data"
        data.mkdir()
        url = f"sqlite:///{data}/audit-log.db"
        if options.database:
            url = opened.enter_context(databases.throwaway(options.database))
        with databases.opened(url) as engine:
            generate(engine, options.events)
        with (
            Service.start(data, command=EXECUTED, database_url=url) as service,
            requests_file(service.port, bodies()) as requests,
        ):
            load = partial(send, service.port, options.connections, options.seconds, requests)
            accepted = load().accepted  # a window to warm up
            taken = list(rounds(options.rounds, load, environment(data, database_url=url)))
        stored, due = _counted(url)
    ratio = median(each.ratio for each in taken)
    accepted += sum(load.accepted for each in taken for load in (*each.calm, *each.windows))
    Console(width=140).print(_table(taken))
    Console(soft_wrap=True).print(
        f"p99 during a purge : without, median of the rounds: {ratio:.2f} (goal: at most {GOAL:g}); "
        f"{sum(each.seconds for each in taken):.1f} s for {options.events:,} events, {due:,} left; "
        f"{accepted:,} accepted, {stored:,} stored"
    )
    sys.exit(ratio > GOAL or stored < accepted or due > 0)


if __name__ == "__main__":
    main()
