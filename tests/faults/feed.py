"""Faults of the feed: it is read while processes that store and integrate stall, are stopped and are killed.

As a program: `python -m tests.faults.feed URL store` stores batches, some of which commit late, and prints the ids of
each before (`sent`) and after its commit (`acknowledged`); `python -m tests.faults.feed URL integrate` integrates.
Both run until they are killed.
"""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final

from sqlalchemy import Engine, select

from core.domain.models import Event, NewEvent
from core.domain.queries import EventFilter
from core.errors import StoreUnavailableError
from core.ports.feed import FeedRequest
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.engine import open_engine
from core.stores.feed import FeedLimits, SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.migrations.upgrade import migrate
from core.stores.schema import events
from core.stores.sealing import insert_sealed, new_batch_number
from tests.faults.ledger import database_of
from tests.faults.load import Verdict
from tests.support import databases
from tests.support.ledger import faults
from tests.support.waiting import until

_ROOT: Final = Path(__file__).parents[2]
_PROCESSES: Final = ("store", "store", "store", "store", "integrate", "integrate")
_SIZES: Final = (1, 2, 7, 40)
_STALL_SECONDS: Final = 0.1
_LARGE: Final = "x" * 262_000
"""An event with it takes nearly all of the 256 KiB that it may have."""
_READERS: Final = (
    (1, EventFilter(customer_ids=(2,), event_types=("b", "c"))),
    (3, EventFilter(event_types=("a",))),
    (7, EventFilter(visible_customers=(1,))),
    (100, EventFilter()),
)
"""Limit of a page, and filter. The largest event between small ones is in each."""

_dice: Final = random.Random()  # noqa: S311 - no secret


class _Process:
    """A process that stores or integrates, and is replaced when it is killed."""

    def __init__(self, url: str, task: str) -> None:
        self._command = [sys.executable, "-m", "tests.faults.feed", url, task]
        self.said: dict[str, set[str]] = {"sent": set(), "acknowledged": set()}
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, cwd=_ROOT, stdout=subprocess.PIPE)
        self._listener = Thread(target=self._listen)
        self._listener.start()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(_dice.uniform(0, 0.5))
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.join()

    def _listen(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                what, *ids = line.decode().split(" ")
                if line.endswith(b"\n"):  # not cut by a kill
                    self.said[what].update(each.strip() for each in ids)


def read_in_a_race(rounds: int, database: str) -> Verdict:
    """Stop or kill a process in each round; compare the events that readers of the feed got with the stored ones."""
    with database_of(database) as url, databases.opened(url) as engine, ThreadPoolExecutor() as pool:
        migrate(engine)
        complete = Flag()
        readers = [pool.submit(_read, SqlFeed(engine, FeedLimits(events=20)), *each, complete) for each in _READERS]
        processes = [_Process(url, task) for task in _PROCESSES]
        try:
            for _ in range(rounds):
                before = _acknowledged(processes)
                until(lambda before=before: _acknowledged(processes) > before, "a stored batch")  # type: ignore[misc]
                time.sleep(_dice.uniform(0, 0.3))
                chosen = _dice.choice(processes)
                if _dice.random() < 0.5:
                    chosen.pause()
                else:
                    chosen.kill()
                    chosen.start()
        finally:
            for each in processes:
                each.kill()
            while Ledger(engine).integrate():
                pass
            complete.set()
        return _judge(engine, processes, [reader.result() for reader in readers])


def _acknowledged(processes: list[_Process]) -> int:
    return sum(len(each.said["acknowledged"]) for each in processes)


def _read(feed: SqlFeed, limit: int, wanted: EventFilter, complete: Flag) -> list[tuple[int, str]]:
    """Follow the feed until all is stored and read; return indices and ids."""
    found: list[tuple[int, str]] = []
    position = 0
    while True:
        is_last = complete.is_set()
        try:
            page = feed.read(FeedRequest(wanted, position, limit))
        except StoreUnavailableError:
            continue
        found += [(index, event.event_id) for index, event in page.entries]
        found += [(-1, "skipped")] * page.skipped
        position = page.position
        if not page.more:
            if is_last:
                return found
            time.sleep(0.01)


def _judge(engine: Engine, processes: list[_Process], results: list[list[tuple[int, str]]]) -> Verdict:
    sent, acknowledged = (set().union(*(each.said[what] for each in processes)) for what in ("sent", "acknowledged"))
    query = select(events.c.event_id, events.c.event_type, events.c.customer_id)
    with engine.connect() as connection:
        stored = connection.execute(query).all()
    lost = len(acknowledged - {row.event_id for row in stored})
    duplicated, unexpected = 0, len(faults(engine))
    for (_, wanted), found in zip(_READERS, results, strict=True):
        customers = wanted.customer_ids or wanted.visible_customers
        expected = {
            row.event_id
            for row in stored
            if (not customers or row.customer_id in customers)
            and (not wanted.event_types or row.event_type in wanted.event_types)
        }
        ids = {event_id for _, event_id in found}
        lost += len(expected - ids)
        duplicated += len(found) - len(ids)
        unexpected += len(ids - expected) + ([index for index, _ in found] != sorted(index for index, _ in found))
    return Verdict(len(sent), len(acknowledged), len(stored), lost, duplicated, unexpected)


def _store(engine: Engine) -> None:
    """Store batches for ever; every third commits long after it took its number."""
    for turn in count():
        batch = [_event(is_large=turn % 10 == 0 and place == 0) for place in range(_dice.choice(_SIZES))]
        _say("sent", batch)
        number = new_batch_number()
        for _ in _until_stored():
            with suppress(StoreUnavailableError), open_connection(engine) as connection:
                insert_sealed(connection, dialect_of(engine), batch, lambda number=number: number)  # type: ignore[misc]
                if turn % 3 == 0:
                    time.sleep(_dice.uniform(0, _STALL_SECONDS))
                connection.commit()
                break
        _say("acknowledged", batch)
        time.sleep(_dice.uniform(0, _STALL_SECONDS))


def _until_stored() -> Iterator[None]:
    while True:
        yield
        time.sleep(0.01)


def _event(*, is_large: bool) -> Event:
    new = NewEvent(
        event_id=str(uuid.uuid4()),  # in no order
        event_type=_dice.choice("abc"),
        customer_id=_dice.choice((1, 2, 3)),
        event_data={"text": _LARGE if is_large else "x"},
    )
    return Event.received(new, at=datetime.now(UTC), by="faults")


def _say(what: str, batch: list[Event]) -> None:
    os.write(1, " ".join([what, *(each.event_id for each in batch)]).encode() + b"\n")


def _integrate(engine: Engine) -> None:
    """Integrate for ever, many times a second."""
    ledger = Ledger(engine)
    for _ in count():
        with suppress(StoreUnavailableError):
            ledger.integrate()
        time.sleep(0.005)


if __name__ == "__main__":
    _tasks: Final[dict[str, Callable[[Engine], None]]] = {"store": _store, "integrate": _integrate}
    _tasks[sys.argv[2]](open_engine(sys.argv[1]))
