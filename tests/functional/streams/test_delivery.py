"""Delivery of one stream: at least once, in order, and no event is left out without a note."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete

from core.domain.models import Event
from core.domain.queries import EventFilter
from core.domain.streams import Stream
from core.errors import (
    DeliveryDelayedError,
    DestinationGoneError,
    MisconfiguredError,
    StoreUnavailableError,
)
from core.ports.feed import FeedRequest
from core.ports.streams import Limits
from core.ports.telemetry import CounterName
from core.stores.schema import events
from core.stores.stream_leases import SqlStreamLeases
from core.stores.streams import SqlStreams
from core.streams.delivery import MAX_REFUSALS, Delivery, Next, Sender
from tests.support.builders import RECEIVED_AT, event
from tests.support.fakes import FakeClock, FakeMeter
from tests.support.streams import NOW, FakeDestination, StoreEvents, make_stream, record

Begin = Callable[..., Delivery]
Caplog = pytest.LogCaptureFixture


@pytest.fixture
def begin(streams: SqlStreams, leases: SqlStreamLeases, sender: Sender) -> Begin:
    """Add a stream that starts at the oldest event after its own record, and take it."""

    def start(**fields: Any) -> Delivery:
        stream = make_stream(**{"filter": "event_type=user.login", **fields})
        streams.add_stream(stream, record())
        assert leases.take(leases.active()[0], "me")
        return Delivery(stream, "me", sender)

    return start


def run(delivery: Delivery) -> Next:
    """Take steps until there is nothing to do."""
    for _ in range(10_000):
        after = delivery.step()
        if after is not Next.AGAIN:
            return after
    raise AssertionError("The delivery does not end.")


def numbered(numbers: range) -> list[Event]:
    return [event(number) for number in numbers]


def test_all_events_are_delivered_in_order_and_in_batches(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams, meter: FakeMeter
) -> None:
    store_events(*numbered(range(25)))
    delivery = begin(batch=10)
    assert run(delivery) is Next.IDLE
    assert destination.batches == [[*range(10)], [*range(10, 20)], [*range(20, 25)]]
    stored = streams.stream(delivery.stream.stream_id)
    assert (stored.position, stored.last_status, stored.delivered_at) == (25, 200, NOW)
    assert meter.counts[CounterName.STREAM_DELIVERED] == 25
    store_events(event(25))
    run(delivery)
    assert destination.batches[-1] == [25]


def test_events_that_the_filter_leaves_out_are_passed_over(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination
) -> None:
    store_events(*[event(number, customer_id=number % 3) for number in range(9)])
    delivery = begin(customers=[1, 2], filter="event_type=user.login&event_data.number[gte]=4")
    run(delivery)
    assert destination.numbers == [4, 5, 7, 8]
    assert delivery.place == 9


def test_the_place_of_a_stream_with_nothing_to_send_is_not_written_at_once(
    begin: Begin, store_events: StoreEvents, streams: SqlStreams
) -> None:
    store_events(event(1))
    delivery = begin(filter="event_type=other")
    assert run(delivery) is Next.IDLE
    assert (delivery.place, streams.stream(delivery.stream.stream_id).position) == (1, 0)


def test_a_passing_fault_delays_the_same_batch(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams, clock: FakeClock
) -> None:
    store_events(*numbered(range(3)))
    delivery = begin()
    destination.failures = [DeliveryDelayedError("It is down.", 503), DeliveryDelayedError("It is down.", 503)]
    assert run(delivery) is Next.IDLE
    assert 1 <= delivery.not_before - clock.now <= 2
    assert run(delivery) is Next.IDLE
    assert 2 <= delivery.not_before - clock.now <= 4
    stored = streams.stream(delivery.stream.stream_id)
    assert (stored.position, stored.failures, stored.reason, stored.last_status) == (0, 2, "It is down.", 503)
    run(delivery)
    assert destination.batches == [[0, 1, 2]]
    assert streams.stream(delivery.stream.stream_id).failures == 0


def test_the_destination_may_ask_for_a_pause_of_up_to_an_hour(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, clock: FakeClock
) -> None:
    store_events(event(1))
    delivery = begin()
    destination.failures = [DeliveryDelayedError("Slower.", 429, 120.0), DeliveryDelayedError("Slower.", 429, 86_400.0)]
    for pause in (120, 3600):
        run(delivery)
        assert delivery.not_before == clock.now + pause


def test_a_refused_event_is_found_and_set_aside_and_all_others_are_delivered(
    begin: Begin,
    store_events: StoreEvents,
    destination: FakeDestination,
    streams: SqlStreams,
    meter: FakeMeter,
) -> None:
    store_events(*numbered(range(200)))
    destination.refuses = lambda number: number in {7, 8, 130}
    delivery = begin()
    assert run(delivery) is Next.IDLE
    assert destination.numbers == [number for number in range(200) if number not in {7, 8, 130}]
    refusals = streams.refusals(delivery.stream.stream_id, 10)
    assert [(each.position, each.event_id, each.status) for each in refusals] == [
        (index, event(index).event_id, 400) for index in (7, 8, 130)
    ]
    assert meter.counts[CounterName.STREAM_REFUSED] == 3
    assert destination.attempts < 50
    store_events()
    records = [each for each in _records(delivery) if each.event_type == "audit-log.stream.refused"]
    assert [each.event_data["event_id"] for each in records] == [event(7).event_id]  # the first one only


def _records(delivery: Delivery) -> list[Event]:
    feed = delivery._sender.feed  # noqa: SLF001 - the log that it reads
    return [each for _, each in feed.read(FeedRequest(EventFilter(), limit=1000)).entries]


def test_a_destination_that_refuses_everything_is_suspended_at_the_first_event(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams
) -> None:
    store_events(*numbered(range(100)))
    destination.refuses = lambda number: number >= 10
    delivery = begin(customers=[42])
    assert run(delivery) is Next.LOST
    assert destination.numbers == [*range(10)]
    stored = streams.stream(delivery.stream.stream_id)
    assert (stored.state, stored.position, stored.refused) == ("suspended", 10, 0)
    assert stored.reason == "The destination refused 20 events in a row with status 400."
    store_events()
    (suspended,) = [each for each in _records(delivery) if each.event_type == "audit-log.stream.suspended"]
    assert (suspended.customer_id, suspended.event_data["subject"]) == (42, stored.stream_id)


def test_a_stream_with_too_many_refusals_is_suspended(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams
) -> None:
    store_events(event(0), event(1))
    destination.refuses = lambda number: number == 1
    delivery = begin()
    delivery.stream = delivery.stream.model_copy(update={"refused": MAX_REFUSALS})
    assert run(delivery) is Next.LOST
    assert streams.stream(delivery.stream.stream_id).position == 1


def test_events_that_a_destination_takes_in_part_are_noted_and_not_sent_again(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams
) -> None:
    store_events(*numbered(range(6)))
    destination.partly = [2]
    delivery = begin(batch=3)
    run(delivery)
    assert destination.batches == [[0, 1, 2], [3, 4, 5]]
    (refusal,) = streams.refusals(delivery.stream.stream_id, 10)
    assert (refusal.position, refusal.last, refusal.count) == (0, 2, 2)


def test_a_destination_that_is_gone_suspends_the_stream_at_once(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams
) -> None:
    store_events(event(1))
    delivery = begin()
    destination.failures = [DestinationGoneError("It wants no more.", 410)]
    assert run(delivery) is Next.LOST
    stored = streams.stream(delivery.stream.stream_id)
    assert (stored.state, stored.reason, stored.position) == ("suspended", "It wants no more.", 0)


def test_a_wrong_configuration_suspends_the_stream_after_1_5_and_15_minutes(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams, clock: FakeClock
) -> None:
    store_events(event(1))
    delivery = begin()
    destination.failures = [MisconfiguredError("The token is wrong.", 401) for _ in range(4)]
    pauses = []
    for _ in range(3):
        assert run(delivery) is Next.IDLE
        pauses.append(delivery.not_before - clock.now)
        clock.now = delivery.not_before
    assert pauses == [60, 300, 900]
    assert run(delivery) is Next.LOST
    stored = streams.stream(delivery.stream.stream_id)
    assert (stored.state, stored.reason, stored.position) == ("suspended", "The token is wrong.", 0)


def test_an_outage_does_not_count_as_a_wrong_configuration(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination
) -> None:
    store_events(event(1))
    delivery = begin()
    destination.failures = [DeliveryDelayedError("It is down.", 503) for _ in range(9)]
    destination.failures.append(MisconfiguredError("The token is wrong.", 401))
    assert {run(delivery) for _ in range(10)} == {Next.IDLE}


def test_a_stream_that_fails_for_three_days_is_suspended(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, streams: SqlStreams, clock: FakeClock
) -> None:
    store_events(event(1))
    delivery = begin()
    destination.failures = [DeliveryDelayedError("It is down.", 503) for _ in range(2)]
    assert run(delivery) is Next.IDLE
    clock.now += timedelta(days=3, seconds=1).total_seconds()
    assert run(delivery) is Next.LOST
    assert streams.stream(delivery.stream.stream_id).reason == "Nothing was delivered for 3 days. It is down."


def test_a_batch_that_waits_to_fill_is_sent_when_its_first_event_is_old_enough(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, clock: FakeClock
) -> None:
    destination.limits = Limits(events=50, seconds=300)
    store_events(*numbered(range(3)))
    clock.now = RECEIVED_AT.timestamp() + 200
    delivery = begin(batch=1)
    assert run(delivery) is Next.IDLE
    assert destination.batches == []
    assert delivery.not_before == clock.now + 30
    clock.now = RECEIVED_AT.timestamp() + 300
    run(delivery)
    assert destination.batches == [[0, 1, 2]]
    store_events(*[event(number, received_at=NOW + timedelta(hours=1)) for number in range(3, 60)])
    run(delivery)
    assert destination.batches[1] == [*range(3, 53)]
    assert len(destination.batches) == 2


def test_a_place_beyond_the_end_of_the_log_suspends_the_stream(
    begin: Begin, store_events: StoreEvents, streams: SqlStreams
) -> None:
    store_events(event(1))
    delivery = begin(position=2)
    assert run(delivery) is Next.LOST
    assert "restored to an earlier state" in str(streams.stream(delivery.stream.stream_id).reason)


def test_events_that_are_gone_from_the_log_are_reported(
    begin: Begin,
    store_events: StoreEvents,
    destination: FakeDestination,
    engine: Engine,
    caplog: Caplog,
) -> None:
    store_events(*numbered(range(5)))
    with engine.begin() as connection:
        connection.execute(delete(events).where(events.c.event_id.in_([event(1).event_id, event(2).event_id])))
    run(begin())
    assert destination.numbers == [0, 3, 4]
    (gap,) = [each for each in caplog.records if each.message == "stream_events_gone"]
    assert gap.__dict__["events"] == 2


def test_a_sender_whose_stream_was_taken_over_ends(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, leases: SqlStreamLeases
) -> None:
    store_events(*numbered(range(3)))
    delivery = begin(batch=1)
    assert delivery.step() is Next.AGAIN
    assert leases.take(leases.active()[0], "other")
    assert delivery.step() is Next.LOST
    assert destination.numbers == [0, 1]
    assert leases.active()[0].stream.position == 1


def test_a_batch_that_was_sent_before_the_database_failed_is_repeated(
    begin: Begin, store_events: StoreEvents, destination: FakeDestination, sender: Sender
) -> None:
    store_events(*numbered(range(2)))
    delivery = begin()

    class Down(SqlStreamLeases):
        def deliver(self, *_: object, **__: object) -> Stream:
            raise StoreUnavailableError("It is down.")

    delivery._sender = replace(sender, leases=Down(sender.leases._engine))  # type: ignore[attr-defined] # noqa: SLF001
    with pytest.raises(StoreUnavailableError):
        delivery.step()
    delivery._sender = sender  # noqa: SLF001
    run(delivery)
    assert destination.batches == [[0, 1], [0, 1]]
