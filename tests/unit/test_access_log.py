import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.http.access_log import LINES_PER_SECOND, AccessLog, AccessLogEntry
from tests.support.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def log(clock: FakeClock) -> AccessLog:
    return AccessLog(clock)


def sample(log: AccessLog, count: int, status: int = 202, route: str = "/event") -> list[int]:
    """What the lines say that were due of so many answers."""
    answers = [log.sample(route, status) for _ in range(count)]
    return [left_out for left_out in answers if left_out is not None]


def written(caplog: pytest.LogCaptureFixture, line: AccessLogEntry, left_out: int = 0) -> dict[str, object]:
    """The fields of a line, without those that every record has."""
    own = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    caplog.set_level(logging.INFO)
    AccessLog.write(line, left_out)
    return {name: value for name, value in vars(caplog.records[-1]).items() if name not in own}


def test_of_many_answers_in_a_second_a_few_are_lines(log: AccessLog) -> None:
    assert sample(log, 1000) == [0] * LINES_PER_SECOND


def test_the_next_line_tells_how_many_were_left_out(log: AccessLog, clock: FakeClock) -> None:
    sample(log, 1000)
    clock.now += 1
    assert sample(log, 1000) == [1000 - LINES_PER_SECOND] + [0] * (LINES_PER_SECOND - 1)


def test_each_class_of_status_has_lines_of_its_own(log: AccessLog) -> None:
    sample(log, 100, 202)
    assert [sample(log, 100, status) for status in (301, 401, 503)] == [[0] * LINES_PER_SECOND] * 3
    assert sample(log, 1, 404) == []  # of the class of 401


@pytest.mark.parametrize("probe", ["/health", "/ready", "/metrics"])
def test_a_probe_is_a_line_only_when_it_fails(log: AccessLog, probe: str) -> None:
    assert (sample(log, 1, 200, probe), sample(log, 1, 503, probe)) == ([], [0])


def test_no_answer_is_missing_from_the_counts_of_many_threads(clock: FakeClock) -> None:
    log = AccessLog(clock)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: sample(log, 1000), range(8)))
    clock.now += 1
    assert sample(log, 1) == [8000 - LINES_PER_SECOND]


def test_a_line_says_what_was_asked_and_how_it_ended(caplog: pytest.LogCaptureFixture) -> None:
    line = AccessLogEntry("r-1", "POST", "/event", 202, 0.0012345, "billing", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    assert written(caplog, line, 7) == {
        "request_id": "r-1",
        "method": "POST",
        "route": "/event",
        "status": 202,
        "ms": 1.234,
        "client": "billing",
        "trace_id": "a" * 32,
        "sampled": 7,
    }
    record = caplog.records[-1]
    assert (record.name, record.levelname, record.getMessage()) == ("audit_log.request", "INFO", "request")


def test_a_line_without_a_trace_that_stands_for_itself_alone_says_no_more(caplog: pytest.LogCaptureFixture) -> None:
    fields = written(caplog, AccessLogEntry("r-1", "GET", "/event", 401, 0.001))
    assert fields.keys() == {"request_id", "method", "route", "status", "ms", "client"}
    assert fields["client"] is None


def test_a_fault_of_ours_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    written(caplog, AccessLogEntry("r-1", "POST", "/event", 503, 0.001))
    assert caplog.records[-1].levelname == "WARNING"
