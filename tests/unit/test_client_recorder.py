"""Recording in the background."""

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from audit_log_client import AuditLog, BufferFullError, ClientSecret, ClosedError, EventTooLargeError, Failure
from tests.support.flaky import FlakyService, status, unreachable
from tests.support.waiting import SECONDS, until


@pytest.fixture
def flaky() -> FlakyService:
    return FlakyService()


@pytest.fixture
def failures() -> list[Failure]:
    return []


@pytest.fixture
def log(flaky: FlakyService, failures: list[Failure]) -> Iterator[AuditLog]:
    """A recorder that sends only on request."""
    with closing(AuditLog("http://x", on_failure=failures.append, delay=60, transport=flaky.transport)) as log:
        yield log


def record(log: AuditLog, number: int = 0, event_type: str = "good") -> str:
    return log.record(event_type, customer_id=42, event_data={"number": number})


def test_events_go_in_batches_in_their_order(flaky: FlakyService, log: AuditLog) -> None:
    for number in range(2500):
        record(log, number)
    assert log.flush(SECONDS)
    assert [event["event_data"]["number"] for event in flaky.events.values()] == list(range(2500))
    assert len(flaky.batches) <= 4
    assert max(flaky.batches) == 1000


def test_large_events_make_small_batches(flaky: FlakyService, log: AuditLog) -> None:
    for _ in range(10):
        log.record("good", 42, {"text": "x" * 200_000})
    assert log.flush(SECONDS)
    assert flaky.batches == [5, 5]


def test_an_event_leaves_by_itself_after_the_delay(flaky: FlakyService) -> None:
    with AuditLog("http://x", delay=0.01, transport=flaky.transport) as log:
        record(log)
        until(lambda: flaky.events)


def test_an_event_has_its_id_and_its_time_from_the_start(flaky: FlakyService, log: AuditLog) -> None:
    before = int(time.time())
    event_id = record(log)
    log.record("good", 42, {"a": 1}, timestamp_utc=5, event_id="018f6b2e-7c1a-7d3e-9f00-0123456789ab")
    assert log.flush(SECONDS)
    assert before <= flaky.events[event_id]["timestamp_utc"] <= time.time()
    assert flaky.events["018f6b2e-7c1a-7d3e-9f00-0123456789ab"]["timestamp_utc"] == 5


def test_what_is_changed_after_it_was_recorded_is_recorded_as_it_was(flaky: FlakyService, log: AuditLog) -> None:
    data = {"a": 1}
    event_id = log.record("good", 42, data)
    data["a"] = 2
    log.flush(SECONDS)
    assert flaky.events[event_id]["event_data"] == {"a": 1}


def test_an_outage_loses_nothing_and_stores_nothing_twice(
    flaky: FlakyService, log: AuditLog, failures: list[Failure]
) -> None:
    flaky.faults = [unreachable]
    flaky.lost_answers = 1
    ids = {record(log, number) for number in range(5)}
    assert log.flush(20)
    assert flaky.events.keys() == ids
    assert not failures


def test_what_the_service_does_not_take_is_told_and_holds_up_no_other(
    flaky: FlakyService, log: AuditLog, failures: list[Failure]
) -> None:
    good, bad = record(log), record(log, event_type="bad")
    assert not log.flush(SECONDS)
    assert list(flaky.events) == [good]
    [failure] = failures
    assert (failure.event_id, failure.reason, json.loads(failure.event)["event_type"]) == (
        bad,
        "event_type is bad",
        "bad",
    )
    flaky.faults = [status(403)]
    refused = record(log)
    assert not log.flush(SECONDS)
    assert failures[-1].event_id == refused


def test_a_callback_that_fails_does_not_end_the_log(flaky: FlakyService) -> None:
    def fail(_failure: Failure) -> None:
        raise RuntimeError

    with AuditLog("http://x", on_failure=fail, transport=flaky.transport) as log:
        record(log, event_type="bad")
        assert not log.flush(SECONDS)
        record(log)
        assert log.flush(SECONDS)
    assert len(flaky.events) == 1


def test_a_full_buffer_says_so_and_keeps_what_it_has(flaky: FlakyService) -> None:
    with AuditLog("http://x", capacity=3, delay=60, transport=flaky.transport) as log:
        ids = {record(log) for _ in range(3)}
        with pytest.raises(BufferFullError, match="full with 3 events"):
            record(log)
        assert log.flush(SECONDS)
        ids.add(record(log))
    assert flaky.events.keys() == ids


def test_the_bytes_of_a_buffer_are_bounded_too(flaky: FlakyService) -> None:
    with AuditLog("http://x", max_bytes=1000, delay=60, transport=flaky.transport) as log:
        record(log)
        with pytest.raises(BufferFullError):
            log.record("good", 42, {"text": "x" * 900})
        assert log.flush(SECONDS)
        record(log)


@pytest.mark.parametrize(
    ("data", "error"),
    [({"a": object()}, TypeError), ({"a": math.nan}, ValueError), ({"a": "x" * 300_000}, EventTooLargeError)],
)
def test_what_can_never_be_recorded_is_refused_at_once(
    log: AuditLog, data: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        log.record("good", 42, data)


def test_closing_sends_what_waits_and_takes_no_more(flaky: FlakyService, log: AuditLog) -> None:
    event_id = record(log)
    log.close()
    assert list(flaky.events) == [event_id]
    with pytest.raises(ClosedError):
        record(log)
    log.close()


def test_what_is_left_when_the_time_to_close_is_over_is_told(
    flaky: FlakyService, log: AuditLog, failures: list[Failure]
) -> None:
    flaky.faults = [status(503, Retry_After="30")] * 100
    ids = [record(log, number) for number in range(1500)]
    started = time.monotonic()
    log.close(timeout=0.2)
    assert time.monotonic() - started < 25  # and not the 30 s that the service asks for
    assert [failure.event_id for failure in failures] == ids
    assert not flaky.events


def test_a_flush_waits_for_what_was_recorded_before_and_not_for_more(flaky: FlakyService, log: AuditLog) -> None:
    flaky.faults = [status(503, Retry_After="30")]
    record(log)
    assert not log.flush(0.1)
    log.close(0.1)


def test_a_flush_says_whether_all_events_since_the_last_one_were_accepted(flaky: FlakyService) -> None:
    with AuditLog("http://x", ClientSecret("c", "wrong"), delay=0, transport=flaky.transport) as log:
        flaky.faults = [status(401)]
        record(log)
        until(lambda: not flaky.faults)  # refused before anybody flushes
        assert not log.flush(SECONDS)
        record(log)
        assert log.flush(SECONDS)


def test_many_threads_may_record(flaky: FlakyService, log: AuditLog) -> None:
    threads = [threading.Thread(target=lambda: [record(log) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(SECONDS)
    assert len(flaky.events) == 1600
