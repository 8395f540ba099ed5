import json
from pathlib import Path

import pytest

from core.domain.queries import EventFilter, PageRequest
from core.errors import StoreUnavailableError
from core.ports.queue import Message
from core.ports.telemetry import CounterName, HistogramName
from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.consume_events import BatchResponse, SqsEvent, lambda_consumer
from local_runner.aws_events.sqs_event import to_sqs_event
from tests.support.builders import event, sqs_event
from tests.support.fakes import FakeMeter, FakeStore

SAMPLE = Path(__file__).parents[1] / "events" / "sqs_batch.json"


@pytest.fixture
def services(settings: Settings, store: FakeStore) -> Services:
    return Services(settings, writer=store)


def consume(services: Services, sqs: SqsEvent) -> BatchResponse:
    return lambda_consumer(lambda: services)(sqs, None)


def failures(response: BatchResponse) -> list[str]:
    """The ids of the messages that failed."""
    assert list(response) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def bodies(*numbers: int) -> list[str]:
    return [event(number).model_dump_json() for number in numbers]


def test_a_batch_is_stored_in_one_transaction(services: Services, store: FakeStore) -> None:
    assert failures(consume(services, sqs_event(*bodies(*range(10))))) == []
    assert list(store.events.values()) == [event(number) for number in range(10)]
    assert store.batches == [10]


def test_an_event_as_lambda_brings_it_is_stored(services: Services, store: FakeStore) -> None:
    sqs = json.loads(SAMPLE.read_text())
    assert failures(consume(services, sqs)) == [sqs["Records"][1]["messageId"]]
    [kept] = store.events.values()
    assert kept.event_data == {"admin_data": {"username": "admin", "name": "Zoë 😀"}}


def test_an_empty_batch_is_no_failure(services: Services, store: FakeStore) -> None:
    assert failures(consume(services, {"Records": []})) == []
    assert store.batches == []


def test_of_ten_messages_one_that_the_store_refuses_comes_again_and_nine_are_stored(
    services: Services, store: FakeStore
) -> None:
    store.refused_types = {"poison"}
    poison = event(7, event_type="poison").model_dump_json()
    assert failures(consume(services, sqs_event(*bodies(*range(1, 7)), poison, *bodies(8, 9, 10)))) == ["m7"]
    assert len(store.events) == 9
    assert event(7).event_id not in store.events


def test_a_real_store_keeps_what_it_can_of_a_batch(settings: Settings, sqlite_store: SqlEventStore) -> None:
    poison = event(2, event_data={"a": 1}).model_dump_json().replace('{"a":1}', '{"a":1180591620717411303424}')
    services = Services(settings, writer=sqlite_store)
    assert failures(consume(services, sqs_event(*bodies(1), poison, *bodies(3)))) == ["m2"]
    assert sqlite_store.find_page(EventFilter(), PageRequest(order="asc")).events == [event(1), event(3)]


@pytest.mark.parametrize("body", ["", "{", "null", "[]", "{}", "\ud800", '{"event_id": "x"}', "[" * 100_000])
def test_a_message_that_is_no_event_comes_again_alone(services: Services, store: FakeStore, body: str) -> None:
    assert failures(consume(services, sqs_event(*bodies(1), body, *bodies(2)))) == ["m2"]
    assert len(store.events) == 2


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", '"\\u0000"', '"\\ud800"', '"\ud800"'])
def test_a_value_that_is_no_json_fails_its_own_message_only(
    settings: Settings, sqlite_store: SqlEventStore, value: str
) -> None:
    foreign = event(2, event_data={"a": "?"}).model_dump_json().replace('"?"', value)
    services = Services(settings, writer=sqlite_store)
    assert failures(consume(services, sqs_event(*bodies(1), foreign, *bodies(3)))) == ["m2"]
    assert sqlite_store.find_page(EventFilter(), PageRequest(order="asc")).events == [event(1), event(3)]


def test_an_event_that_makes_the_store_fail_takes_no_other_with_it(
    services: Services, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.crashing_types = {"crash"}
    crashing = event(2, event_type="crash").model_dump_json()
    assert failures(consume(services, sqs_event(*bodies(1), crashing, *bodies(3)))) == ["m2"]
    assert list(store.events.values()) == [event(1), event(3)]
    assert caplog.messages == ["store_failed", "store_failed", "event_refused"]
    assert caplog.records[0].exc_info


def test_messages_of_which_none_is_an_event_leave_the_store_alone(services: Services, store: FakeStore) -> None:
    assert failures(consume(services, sqs_event("{}", "[]"))) == ["m1", "m2"]
    assert store.batches == []


def test_a_message_that_comes_again_is_done_and_stored_once(services: Services, store: FakeStore) -> None:
    for _ in range(2):
        assert failures(consume(services, sqs_event(*bodies(1, 2, 1)))) == []
    assert len(store.events) == 2


def test_an_id_that_comes_again_with_other_content_fails_and_the_first_stays(
    services: Services, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    other = event(1, event_type="other").model_dump_json()
    assert failures(consume(services, sqs_event(*bodies(1), other))) == ["m2"]
    assert store.events[event(1).event_id] == event(1)
    assert caplog.messages == ["event_conflict"]
    assert vars(caplog.records[0])["event_id"] == event(1).event_id


def test_a_store_that_is_down_fails_the_whole_batch(services: Services, store: FakeStore) -> None:
    store.down = True
    with pytest.raises(StoreUnavailableError):
        consume(services, sqs_event(*bodies(1, 2), "no event"))
    store.down = False
    assert failures(consume(services, sqs_event(*bodies(1, 2), "no event"))) == ["m3"]


def test_a_store_that_goes_down_between_single_events_fails_the_batch_and_a_retry_heals_it(
    services: Services, store: FakeStore
) -> None:
    store.refused_types = {"poison"}
    batch = sqs_event(*bodies(1), event(2, event_type="poison").model_dump_json(), *bodies(3))
    store.calls_left = 2
    with pytest.raises(StoreUnavailableError):
        consume(services, batch)
    assert list(store.events) == [event(1).event_id]
    store.calls_left = 10
    assert failures(consume(services, batch)) == ["m2"]
    assert list(store.events) == [event(1).event_id, event(3).event_id]


def test_what_became_of_a_batch_is_counted_and_measured(settings: Settings, store: FakeStore) -> None:
    meter = FakeMeter()
    stored_at = event(1).received_at.timestamp() + 2.5
    services = Services(settings, writer=store, meter=meter, clock=lambda: stored_at)
    conflicting = event(1, event_type="another.type").model_dump_json()
    sqs = sqs_event(*bodies(1, 2, 2), conflicting, "no event")
    sqs["Records"][3]["attributes"]["ApproximateReceiveCount"] = "2"

    consume(services, sqs)

    assert {what: count for what, count in meter.counts.items() if count} == {
        CounterName.STORED: 2,
        CounterName.DUPLICATE: 1,
        CounterName.CONFLICT: 1,
        CounterName.REFUSED: 1,
        CounterName.RETRIED: 1,
    }
    assert meter.values[HistogramName.BATCH_EVENTS] == [4]
    assert len(meter.values[HistogramName.STORE_SECONDS]) == 1
    assert meter.values[HistogramName.ACCEPTED_TO_STORED_SECONDS] == pytest.approx([2.5, 2.5])


def test_a_clock_that_is_behind_makes_no_age_negative(settings: Settings, store: FakeStore) -> None:
    meter = FakeMeter()
    consume(Services(settings, writer=store, meter=meter, clock=lambda: 0), sqs_event(*bodies(1)))
    assert meter.values[HistogramName.ACCEPTED_TO_STORED_SECONDS] == [0]


def test_what_an_event_holds_is_not_logged(
    services: Services, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.refused_types = {"poison"}
    poison = event(1, event_type="poison", event_data={"password": "hunter2"}).model_dump_json()
    consume(services, sqs_event(poison, '{"password": "hunter2"}'))
    assert len(caplog.records) == 2
    assert not any("hunter2" in str(vars(record)) for record in caplog.records)


def test_a_message_that_fails_is_logged_with_its_trace(
    services: Services, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.refused_types = {"poison"}
    refused = event(1, event_type="poison").model_dump_json()
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    messages = [
        Message("m1", "r1", refused, 1, 1.0, f"00-{trace}-{parent}-01"),
        Message("m2", "r2", "no event", 1, 1.0, f"00-{trace}-{parent}-01"),
        Message("m3", "r3", "no event", 1, 1.0, "no traceparent"),
        Message("m4", "r4", "no event", 1, 1.0),
    ]

    assert sorted(failures(consume(services, to_sqs_event(messages)))) == ["m1", "m2", "m3", "m4"]

    traces = {record.__dict__["message_id"]: record.__dict__.get("trace_id") for record in caplog.records}
    assert traces == {"m1": trace, "m2": trace, "m3": None, "m4": None}
