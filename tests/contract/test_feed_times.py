"""Times of positions in the feed, on every database: none is too late, also if clocks differ."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert

from core.stores.feed import SqlFeed
from core.stores.ledger.integration import Ledger
from core.stores.schema import ledger_batches, ledger_checkpoints
from core.stores.sealing import batch_row, first_number_at
from core.stores.sql import SqlEventStore
from tests.support.builders import event

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def feed(engine: Engine) -> SqlFeed:
    return SqlFeed(engine)


def seal_batches(engine: Engine, seconds: Sequence[int], size: int = 3) -> None:
    """Store a batch that was sealed at each of these seconds after the start, with indices in this order."""
    rows = []
    for place, second in enumerate(seconds):
        number = first_number_at((START + timedelta(seconds=second)).timestamp()) + place
        batch = batch_row(number, [event(place * size + each) for each in range(size)], None)
        rows.append({**batch, "first_index": place * size})
    end = {"size": len(rows) * size, "previous": 0, "at": START}
    with engine.begin() as connection:
        connection.execute(insert(ledger_batches), rows)
        connection.execute(insert(ledger_checkpoints).values(**end))


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_position_is_that_of_the_first_batch_at_a_time_or_later(engine: Engine, feed: SqlFeed) -> None:
    seal_batches(engine, range(0, 100_000, 1000))
    assert feed.position_at(after(-1)) == 0
    assert feed.position_at(after(0)) == 0
    assert feed.position_at(after(0.001)) == 3
    assert feed.position_at(after(42_000)) == 126
    assert feed.position_at(after(42_001)) == 129
    assert feed.position_at(after(99_001)) == 300


def test_a_time_that_no_batch_number_can_have_is_the_end(engine: Engine, feed: SqlFeed) -> None:
    seal_batches(engine, [0, 60])
    assert feed.position_at(datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)) == 6


def test_a_batch_that_got_its_indices_before_older_ones_is_not_left_out(engine: Engine, feed: SqlFeed) -> None:
    seal_batches(engine, [0, 1000, 2000, 2100, 2050, 2110, 2020, 3000, 4000])
    assert feed.position_at(after(2050)) == 9
    assert feed.position_at(after(2105)) == 15


def test_the_feed_says_when_an_entry_was_stored(engine: Engine, feed: SqlFeed) -> None:
    seal_batches(engine, [0, 60])
    assert [feed.stored_at(position) for position in (0, 2, 3, 6)] == [after(0), after(0), after(60), None]


def test_an_empty_log_has_no_times(feed: SqlFeed) -> None:
    assert feed.position_at(START) == 0
    assert feed.stored_at(0) is None


def test_a_stored_event_has_the_time_of_its_storing(engine: Engine, sql_store: SqlEventStore, feed: SqlFeed) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    sql_store.add([event(1)])
    Ledger(engine).integrate()
    stored = feed.stored_at(0)
    assert stored is not None
    assert before <= stored <= datetime.now(UTC)
    assert feed.position_at(before) == 0
    assert feed.position_at(datetime.now(UTC) + timedelta(seconds=1)) == 1
