"""Reconciliation: every accepted event is stored, repeated, given up or in flight, and a missing one is noticed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from core.domain.models import Event
from core.domain.reconciliation import Reconciliation, Window, minute_of
from core.ports.queue import QueueStatistics
from core.ports.store import Outcome
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.event_counters import ACCEPTED, NUMBERED, SqlEventCounters
from core.stores.reconciliation import reconcile
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.create_event import create_event
from functions.create_events import create_events
from local_runner.queue.accounting import AcceptanceCounter
from local_runner.spool.slot import SlotHistory
from tests.support.builders import event, new_event
from tests.support.fakes import FakeClock, FakeGateway, FakeQueue
from tests.support.pipelines import start_pipeline
from tests.support.waiting import until


@pytest.fixture
def tallies(settings: Settings, sqlite_store: SqlEventStore) -> Iterator[SqlEventCounters]:
    assert sqlite_store.check()  # the tables exist
    engine = open_engine(settings.store_url)
    yield SqlEventCounters(engine)
    engine.dispose()


def received(text: str, number: int = 1, **fields: object) -> Event:
    return event(number, received_at=f"2026-03-01T{text}Z", **fields)


EVENT_ID = "018f6b2e-7c1a-7d3e-9f00-0123456789ab"
MINUTE = minute_of(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("figures", "difference"),
    [
        ((10, 10, 0, 0, 0), 0),
        ((10, 7, 1, 1, 1), 0),
        ((10, 7, 1, 1, 0), 1),
        ((10, 5, 0, 0, 8), 0),
        ((10, 12, 0, 0, 5), -2),
    ],
)
def test_the_difference_is_what_is_nowhere(figures: tuple[int, int, int, int, int], difference: int) -> None:
    assert Reconciliation(*figures).difference == difference


def test_a_window_has_whole_minutes_and_not_its_last_one() -> None:
    end = datetime(2026, 3, 1, 12, 0, 59, 999_999, tzinfo=UTC)
    window = Window.day_before(end)
    assert window == (MINUTE - 24 * 60, MINUTE)
    assert not window.includes(end)
    assert window.includes(datetime(2026, 3, 1, 11, 59, 59, 999_999, tzinfo=UTC))
    assert window.includes(datetime(2026, 2, 28, 12, 0, tzinfo=UTC))
    assert not window.includes(datetime(2026, 2, 28, 11, 59, 59, tzinfo=UTC))


def test_figures_are_read_in_the_order_in_which_events_move(
    sqlite_store: SqlEventStore, tallies: SqlEventCounters
) -> None:
    """An event that moves on between two readings is seen in both places, never in none."""
    window = Window(MINUTE, MINUTE + 1)
    read: list[str] = []

    def accepted(asked: Window) -> int:
        assert asked == window
        read.append("accepted")
        return 3

    def statistics() -> QueueStatistics:
        read.append("queue")
        return QueueStatistics(waiting=2, in_flight=1, dead_letters=9)

    def given_up() -> int:
        read.append("dead letters")
        sqlite_store.add([received("12:00:00", 1)])
        return 1

    result = reconcile(window, tallies, statistics, dead_lettered=given_up, accepted=accepted)
    assert read == ["accepted", "queue", "dead letters"]
    assert result == Reconciliation(accepted=3, stored=1, repeated=0, dead_lettered=1, in_flight=3)
    counted = reconcile(window, tallies, lambda: QueueStatistics(waiting=0, dead_letters=4))
    assert counted == Reconciliation(accepted=0, stored=1, repeated=0, dead_lettered=4, in_flight=0)


@pytest.mark.parametrize(
    ("statistics", "facts"),
    [
        (QueueStatistics(0), {"waiting": 0}),
        (QueueStatistics(1, dead_letters=0, partitions=6), {"waiting": 1, "dead_letters": 0, "partitions": 6}),
    ],
)
def test_a_figure_that_a_queue_does_not_have_is_no_fact(statistics: QueueStatistics, facts: dict[str, object]) -> None:
    assert list(statistics.facts().items()) == list(facts.items())


def test_what_is_stored_counts_in_the_minute_of_its_reception(
    sqlite_store: SqlEventStore, tallies: SqlEventCounters
) -> None:
    sqlite_store.add([received("12:00:00", 1), received("12:00:59.999", 2), received("12:01:00", 3)])
    sqlite_store.add([received("12:00:30", 4)])
    assert tallies.sums(MINUTE, MINUTE + 1) == {"stored": 3}
    assert tallies.sums(MINUTE, MINUTE + 2) == {"stored": 4}
    assert tallies.sums(MINUTE + 2, MINUTE + 9) == {}


def test_a_retry_is_a_repeat_and_a_redelivery_is_nothing(
    sqlite_store: SqlEventStore, tallies: SqlEventCounters
) -> None:
    first, retry = received("12:00:00"), received("12:00:07")
    sqlite_store.add([first])
    assert sqlite_store.add([first, retry]) == [Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert sqlite_store.add([received("12:00:00", 2), received("12:00:00", 2)]) == [Outcome.STORED, Outcome.DUPLICATE]
    assert tallies.sums(MINUTE, MINUTE + 1) == {"stored": 2, "repeated": 1}


def test_a_conflict_is_counted_by_the_dead_letters_and_not_here(
    sqlite_store: SqlEventStore, tallies: SqlEventCounters
) -> None:
    sqlite_store.add([received("12:00:00")])
    assert sqlite_store.add([received("12:00:01", event_type="other")]) == [Outcome.CONFLICT]
    assert tallies.sums(MINUTE, MINUTE + 1) == {"stored": 1}


def test_a_batch_that_fails_counts_nothing(sqlite_store: SqlEventStore, tallies: SqlEventCounters) -> None:
    with pytest.raises(Exception, match="cannot store"):
        sqlite_store.add([received("12:00:00", 1), received("12:00:00", 2, event_data={"a": 2**70})])
    assert tallies.sums(MINUTE, MINUTE + 1) == {}


def test_the_counter_notes_what_was_accepted_by_itself(tallies: SqlEventCounters) -> None:
    counter = AcceptanceCounter(tallies)
    counter.record([received("12:00:00", 1), received("12:00:30", 2)])
    until(lambda: tallies.sums(MINUTE, MINUTE + 1))
    counter.record([received("12:00:40", 3)])
    counter.close()
    assert tallies.sums(MINUTE, MINUTE + 1) == {"accepted": 3}


def test_one_event_several_times_in_a_millisecond_leaves_no_difference(settings: Settings) -> None:
    pipeline = start_pipeline(settings)
    counters = pipeline.services.database.event_counters
    gateway = FakeGateway(pipeline.services)
    pipeline.services.clock = clock = FakeClock(MINUTE * 60.0)
    first = new_event(event_id=EVENT_ID, event_data={"number": 1})
    same = {**first, "event_data": {"number": 1.0}}
    other = {**first, "event_type": "other"}

    def post(*batch: object) -> list[int]:
        answer = gateway.call(create_events, "POST", "/events", body={"events": [*batch]})
        return [accepted["index"] for accepted in answer.json["accepted"]]

    assert len(post(*[first] * 10)) == 10
    assert post(first, other, same) == [0, 2]
    clock.now += 0.001
    assert post(first, other, first) == [0, 2]
    pipeline.close()
    result = reconcile(Window(MINUTE, MINUTE + 1), counters, lambda: QueueStatistics(waiting=0, dead_letters=0))
    assert result == Reconciliation(accepted=14, stored=1, repeated=13, dead_lettered=0, in_flight=0)
    assert result.difference == 0


def test_what_could_not_be_published_is_published_when_it_is_sent_again(settings: Settings) -> None:
    """Also in the same millisecond: only a published event makes a later one a repeat."""
    queue = FakeQueue(capacity=0)
    services = Services(settings, publisher=queue, clock=FakeClock())
    gateway = FakeGateway(services)

    def post() -> int:
        return gateway.call(create_event, "POST", "/event", body=new_event(event_id=EVENT_ID)).status

    assert post() == 503
    queue.capacity = 10
    assert [post(), post(), post()] == [202, 202, 202]
    assert len(queue.events) == 1


def test_what_a_killed_process_left_uncounted_is_counted_at_the_next_start(tallies: SqlEventCounters) -> None:
    tallies.add("slot", {(MINUTE, ACCEPTED): 7, (0, NUMBERED): 7})
    history = SlotHistory(("slot",), accepted=10, written_at=(MINUTE + 5) * 60 + 3.5)
    for _ in range(2):  # once
        AcceptanceCounter(tallies, [history]).close()
    assert tallies.sums(MINUTE, MINUTE + 1) == {"accepted": 7}
    assert tallies.sums(MINUTE + 5, MINUTE + 6) == {"accepted": 3}


def test_a_moved_slot_is_counted_under_its_new_name_from_where_its_former_name_ended(
    tallies: SqlEventCounters,
) -> None:
    tallies.add("former", {(MINUTE, ACCEPTED): 7, (0, NUMBERED): 7})
    history = SlotHistory(("new", "not counted", "former"), 10, written_at=(MINUTE + 5) * 60.0)
    for _ in range(2):
        AcceptanceCounter(tallies, [history]).close()
    assert tallies.sums(MINUTE, MINUTE + 9) == {"accepted": 10}
    assert (tallies.count("former", 0, NUMBERED), tallies.count("new", 0, NUMBERED)) == (7, 10)


def test_a_copy_whose_original_is_still_in_use_counts_nothing_of_it(tallies: SqlEventCounters) -> None:
    tallies.add("original", {(0, NUMBERED): 12})
    AcceptanceCounter(tallies, [SlotHistory(("copy", "original"), 10, written_at=MINUTE * 60.0)]).close()
    assert tallies.sums(MINUTE, MINUTE + 1) == {}
    assert (tallies.count("original", 0, NUMBERED), tallies.count("copy", 0, NUMBERED)) == (12, 10)


def test_an_event_store_that_knows_no_name_of_a_slot_misses_all_its_events(tallies: SqlEventCounters) -> None:
    for _ in range(2):
        AcceptanceCounter(tallies, [SlotHistory(("new", "former"), 1000, written_at=MINUTE * 60.0)]).close()
    assert tallies.sums(MINUTE, MINUTE + 1) == {"accepted": 1000}


def test_a_spool_that_was_removed_begins_anew(tallies: SqlEventCounters) -> None:
    tallies.add("slot", {(MINUTE, ACCEPTED): 7, (0, NUMBERED): 7})
    counter = AcceptanceCounter(tallies, [SlotHistory(("slot",), accepted=0, written_at=0.0)])
    counter.record([received("12:00:00")])
    counter.close()
    AcceptanceCounter(tallies, [SlotHistory(("slot",), accepted=1, written_at=MINUTE * 60.0)]).close()
    assert tallies.sums(MINUTE, MINUTE + 1) == {"accepted": 8}
    assert tallies.count("slot", 0, NUMBERED) == 1
