"""Two processes that work on one log and are stopped and killed, and a thread that stores into it."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final, Self

from core.domain.models import Event
from core.errors import StoreUnavailableError
from core.stores.database import Database
from core.stores.ledger.integration import Ledger
from tests.support.waiting import retried

LEASE_SECONDS: Final = 2.0
"""In place of thirty, so that a minute has many takeovers."""

ROUND_SECONDS: Final = 0.1
_ROOT: Final = Path(__file__).parents[2]
_JOIN_SECONDS: Final = 120

_dice: Final = random.Random()  # noqa: S311 - no secret


class Workers:
    """Two processes of a program of `tests.faults` with the URL of a database as its argument, in a `with` block."""

    def __init__(self, module: str, url: str) -> None:
        self._command = [sys.executable, "-m", module, url]

    def __enter__(self) -> Self:
        self._running = [self._start() for _ in range(2)]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._running:
            self._kill(each)

    def disturb(self, rounds: int) -> None:
        """In each second kill one and start another, stop one for about a lease, or leave both alone."""
        for _ in range(rounds):
            time.sleep(1)
            self._disturb()
            self.wake_some()

    def wake_some(self) -> None:
        """Let each that has stopped itself continue, with a probability of a third."""
        for each in self._running:
            if _dice.random() < 1 / 3:
                each.send_signal(signal.SIGCONT)

    def _disturb(self) -> None:
        number, dice = _dice.randrange(len(self._running)), _dice.random()
        if dice < 1 / 3:
            self._kill(self._running[number])
            self._running[number] = self._start()
        elif dice < 2 / 3:
            stopped = self._running[number]
            stopped.send_signal(signal.SIGSTOP)
            time.sleep(_dice.uniform(0.5, 2.5) * LEASE_SECONDS)
            stopped.send_signal(signal.SIGCONT)

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, cwd=_ROOT)

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        process.kill()
        process.wait(_JOIN_SECONDS)


@contextmanager
def storing(database: Database, make_batch: Callable[[int], list[Event]]) -> Iterator[list[Event]]:
    """Store batches until the end of the block, one after the other; yield the events, in the order of the log.

    `make_batch` gets the number of the events before.
    """
    stored: list[Event] = []
    stop = Flag()

    def store() -> None:
        ledger = Ledger(database.engine)
        while not stop.is_set():
            batch = make_batch(len(stored))
            until_stored(partial(database.events.add, batch))
            until_stored(ledger.integrate)
            stored.extend(batch)
            stop.wait(ROUND_SECONDS)

    thread = Thread(target=store, daemon=True)
    thread.start()
    try:
        yield stored
    finally:
        stop.set()
        thread.join(_JOIN_SECONDS)


def until_stored(work: Callable[[], object]) -> None:
    """Do some work that is safe to repeat until the database has taken it."""
    retried(work, StoreUnavailableError, seconds=_JOIN_SECONDS)


def work_for_ever(round_: Callable[[], object]) -> None:
    """Take one round after the other until the process is killed."""
    while True:
        try:
            round_()
        except StoreUnavailableError:
            continue
        finally:
            time.sleep(ROUND_SECONDS)
