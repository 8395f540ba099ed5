"""Indices are consecutive and given once, on every database, by any number of integrators at once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Engine, delete, select, update

from core.errors import StoreUnavailableError
from core.stores.ledger import integration
from core.stores.ledger.integration import Growth, IntegrationLateError, Ledger, Node
from core.stores.schema import ledger_checkpoints, ledger_nodes
from core.stores.sql import SqlEventStore
from tests.support.builders import event
from tests.support.ledger import batches, faults, indices, places
from tests.support.waiting import SECONDS

T = TypeVar("T")


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


def checkpoints(engine: Engine) -> list[tuple[int, int]]:
    """Size and previous size of each checkpoint."""
    query = select(ledger_checkpoints.c.size, ledger_checkpoints.c.previous).order_by(ledger_checkpoints.c.size)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_events_have_no_index_before_they_are_integrated_and_consecutive_ones_after(
    engine: Engine, sql_store: SqlEventStore, ledger: Ledger
) -> None:
    sql_store.add([event(2), event(1)])
    assert indices(engine) == {}
    assert ledger.integrate() == 2
    sql_store.add([event(4)])
    sql_store.add([event(3)])
    assert ledger.integrate() == 2
    assert indices(engine).keys() == places(engine).keys()
    assert [indices(engine)[event(number).event_id] for number in (1, 2)] == [0, 1]
    assert sorted(indices(engine).values()) == [0, 1, 2, 3]
    assert checkpoints(engine) == [(2, 0), (4, 2)]


def test_where_nothing_is_pending_nothing_is_written(engine: Engine, ledger: Ledger) -> None:
    assert ledger.integrate() == 0
    assert checkpoints(engine) == []
    assert ledger.check() == {"size": 0, "oldest_pending_seconds": 0.0}


def test_indices_once_given_stay(engine: Engine, sql_store: SqlEventStore, ledger: Ledger) -> None:
    given: dict[str, int] = {}
    for number in range(5):
        sql_store.add([event(number)])
        ledger.integrate()
        assert given.items() <= indices(engine).items()
        given = indices(engine)


def test_a_transaction_appends_a_bounded_number_of_events_but_at_least_one_batch(
    engine: Engine, sql_store: SqlEventStore, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integration, "MAX_EVENTS", 3)
    for first, size in ((0, 2), (2, 2), (4, 5)):
        sql_store.add([event(number) for number in range(first, first + size)])
        time.sleep(0.002)  # so that the numbers of the batches are in this order
    assert [ledger.integrate() for _ in range(4)] == [2, 2, 5, 0]
    assert faults(engine) == []


def test_of_the_checkpoints_without_a_signature_the_newest_two_stay(
    engine: Engine, sql_store: SqlEventStore, ledger: Ledger
) -> None:
    for number in range(5):
        sql_store.add([event(number)])
        ledger.integrate()
        if number == 1:
            with engine.begin() as connection:
                signed = update(ledger_checkpoints).where(ledger_checkpoints.c.size == 2)
                connection.execute(signed.values(note="signed"))
    assert checkpoints(engine) == [(2, 1), (4, 3), (5, 4)]


class SlowTree:
    """Lets the test act between what an integrator reads and what it writes. Its root and node are made up."""

    def __init__(self) -> None:
        self.started, self.proceed = Flag(), Flag()
        self.grown: list[tuple[int, Sequence[int]]] = []

    def grow(self, _connection: Connection, size: int, batches: Sequence[int]) -> Growth:
        self.grown.append((size, batches))
        self.started.set()
        assert self.proceed.wait(SECONDS)
        return Growth(b"r" * 32, [Node(8, size, b"n" * 32)])


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_an_integrator_that_others_overtook_appends_nothing(
    engine: Engine, sql_store: SqlEventStore, ledger: Ledger, rounds: int
) -> None:
    tree = SlowTree()
    sql_store.add([event(1)])
    sql_store.add([event(2)])
    ledger.integrate()
    sql_store.add([event(3)])
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(Ledger(engine, tree).integrate)
        assert tree.started.wait(SECONDS)
        for number in range(rounds):
            assert ledger.integrate() == 1
            sql_store.add([event(10 + number)])
        tree.proceed.set()
        assert slow.result(SECONDS) == 0
    before = indices(engine)
    assert faults(engine) == []
    assert ledger.integrate() == 1
    assert before.items() <= indices(engine).items()
    assert faults(engine) == []


def test_root_and_nodes_of_the_tree_are_stored_with_the_indices(engine: Engine, sql_store: SqlEventStore) -> None:
    tree = SlowTree()
    tree.proceed.set()
    sql_store.add([event(1), event(2)])
    Ledger(engine, tree).integrate()
    [batch] = batches(engine)
    assert tree.grown == [(0, [batch.number])]
    with engine.begin() as connection:
        assert connection.execute(select(ledger_checkpoints.c.root)).scalars().all() == [b"r" * 32]
        assert connection.execute(select(ledger_nodes)).all() == [(8, 0, b"n" * 32)]
        connection.execute(delete(ledger_nodes))


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_no_writer_waits_for_an_integrator(request: pytest.FixtureRequest, database: str) -> None:
    """SQLite has one writer at a time, whatever it writes."""
    store: SqlEventStore = request.getfixturevalue(f"{database}_store")
    engine: Engine = request.getfixturevalue(database)
    ledger = Ledger(engine)
    store.add([event(99)])
    ledger.integrate()  # index 0 is in use: MariaDB locks its neighbourhood where an earlier test deleted it
    store.add([event(number) for number in range(10)])
    store.add([event(number) for number in range(10, 20)])
    with engine.connect() as connection, ThreadPoolExecutor() as pool:
        pending = connection.execute(integration._PENDING).all()  # noqa: SLF001 - to stop before the commit
        assert ledger._append(connection, pending) == 20  # noqa: SLF001 - the same
        for number in range(20, 30):
            pool.submit(store.add, [event(number)]).result(SECONDS)
        connection.commit()
    assert ledger.integrate() == 10
    assert faults(engine) == []


def test_several_writers_and_integrators_give_each_event_one_index(engine: Engine, sql_store: SqlEventStore) -> None:
    done = Flag()

    def write(writer: int) -> None:
        for first in range(writer * 1000, writer * 1000 + 200, 10):
            until_available(lambda start=first: sql_store.add([event(number) for number in range(start, start + 10)]))  # type: ignore[misc]  # mypy cannot infer defaults

    def integrate() -> int:
        ledger, events = Ledger(engine), 0
        while not done.is_set() or batches_without_index(engine):
            events += until_available(ledger.integrate)
        return events

    with ThreadPoolExecutor() as pool:
        integrators = [pool.submit(integrate) for _ in range(3)]
        try:
            list(pool.map(write, range(3)))
        finally:
            done.set()
        assert sum(integrator.result(SECONDS) for integrator in integrators) == 600
    assert sorted(indices(engine).values()) == list(range(600))
    assert faults(engine) == []
    assert all(size > previous for size, previous in checkpoints(engine))


def until_available(action: Callable[[], T]) -> T:
    for _ in range(50):
        try:
            return action()
        except StoreUnavailableError:  # SQLite was busy
            continue
    pytest.fail("the store stays busy")


def batches_without_index(engine: Engine) -> bool:
    return any(batch.first_index is None for batch in batches(engine))


def test_a_batch_that_waits_for_long_fails_the_check(engine: Engine, sql_store: SqlEventStore) -> None:
    sql_store.add([event()])
    assert Ledger(engine).check()["size"] == 0
    late = Ledger(engine, clock=lambda: time.time() + 200)
    with pytest.raises(IntegrationLateError, match=r"have waited 20[0-9] seconds for their index: run"):
        late.check()
    late.integrate()
    assert late.check() == {"size": 1, "oldest_pending_seconds": 0.0}
