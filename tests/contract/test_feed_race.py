"""A reader of the feed misses nothing while writers commit late and integrators compete, on every database."""

import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Event as Flag

import pytest
from sqlalchemy import Engine

from core.domain.models import Event
from core.domain.queries import EventFilter
from core.errors import StoreUnavailableError
from core.ports.feed import FeedRequest
from core.stores.connections import open_connection
from core.stores.dialects import dialect_of
from core.stores.feed import FeedLimits, SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.sealing import insert_sealed, new_batch_number
from tests.support.builders import event
from tests.support.ledger import faults
from tests.support.waiting import SECONDS

WRITERS = 4
RACE_SECONDS = 3.0
READERS = [
    (1, EventFilter(customer_ids=(2,), event_types=("b", "c"))),
    (3, EventFilter(event_types=("a",))),
    (7, EventFilter()),
    (100, EventFilter(visible_customers=(1,))),
]


class Race:
    """Writers, integrators and readers of one database, each in its thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.stored: list[Event] = []
        self.written, self.complete = Flag(), Flag()

    def write(self, writer: int) -> None:
        """Store batches; every third commits long after it took its number."""
        dice = random.Random(writer)  # noqa: S311 - the same batches every time
        for turn in count():
            if self.written.is_set():
                return
            batch = [
                event(event_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)), event_type=dice.choice("abc"),
                      customer_id=dice.choice((1, 2, 3)))
                for _ in range(dice.choice((1, 2, 7, 60)))
            ]  # fmt: skip
            number = new_batch_number()
            delay = dice.random() * 0.05 if turn % 3 == 0 else 0.0
            if self.engine.dialect.name == "sqlite":
                time.sleep(delay)  # its writers wait for each other from the first row on
            self._store(batch, number, delay)
            self.stored += batch

    def integrate(self) -> None:
        ledger = Ledger(self.engine)
        while not self.written.is_set():
            with suppress(StoreUnavailableError):  # SQLite was busy for too long
                ledger.integrate()
            time.sleep(0.005)

    def read(self, limit: int, wanted: EventFilter) -> list[tuple[int, Event]]:
        """Follow the feed until all is stored and read."""
        feed = SqlFeed(self.engine, FeedLimits(events=20))
        found: list[tuple[int, Event]] = []
        position = 0
        while True:
            is_last = self.complete.is_set()
            page = feed.read(FeedRequest(wanted, position, limit))
            found += page.entries
            position = page.position
            assert page.skipped == 0
            if not page.more:
                if is_last:
                    return found
                time.sleep(0.002)

    def _store(self, batch: list[Event], number: int, delay: float) -> None:
        for _ in _tries():
            try:
                with open_connection(self.engine) as connection:
                    insert_sealed(connection, dialect_of(self.engine), batch, lambda: number)
                    if self.engine.dialect.name != "sqlite":
                        time.sleep(delay)
                    connection.commit()
            except StoreUnavailableError:
                continue  # SQLite was busy for too long
            return


def _tries() -> Iterator[None]:
    yield from (None for _ in range(20))
    pytest.fail("the store stays busy")


def test_a_feed_misses_nothing_and_repeats_nothing_in_a_race(engine: Engine) -> None:
    race = Race(engine)
    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(race.read, limit, wanted) for limit, wanted in READERS]
        workers = [pool.submit(race.write, writer) for writer in range(WRITERS)]
        workers += [pool.submit(race.integrate) for _ in range(2)]
        try:
            time.sleep(RACE_SECONDS)
        finally:
            race.written.set()
            for worker in workers:
                worker.result(SECONDS)
            while Ledger(engine).integrate():
                pass
            race.complete.set()
        results = [reader.result(SECONDS) for reader in readers]
    assert faults(engine) == []
    assert len(race.stored) > 100
    for (_, wanted), found in zip(READERS, results, strict=True):
        expected = {each.event_id for each in race.stored if _selects(wanted, each)}
        ids = [each.event_id for _, each in found]
        assert (len(expected - set(ids)), len(ids) - len(set(ids)), len(set(ids) - expected)) == (0, 0, 0)
        indices = [index for index, _ in found]
        assert indices == sorted(indices)
    assert [index for index, _ in results[2]] == list(range(len(race.stored)))


def _selects(wanted: EventFilter, each: Event) -> bool:
    customers = wanted.customer_ids or wanted.visible_customers
    return (not customers or each.customer_id in customers) and (
        not wanted.event_types or each.event_type in wanted.event_types
    )
