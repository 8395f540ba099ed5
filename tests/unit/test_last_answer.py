"""The last answer of a part that hangs, is away or breaks: looking at it never waits without a bound."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from threading import Event as Flag
from threading import Thread

import pytest

from core.auth.last_answer import PATIENCE_SECONDS, LastAnswer
from core.errors import StoreUnavailableError, TokenCheckUnavailableError
from tests.support.fakes import FakeClock
from tests.support.waiting import until

EVERY, LIMIT = 10.0, 3600.0
PROMPT_SECONDS = 60.0
"""Bound that leaves room for pauses of the machine: what hangs does so without end, or each of 100 calls for 2 s."""


class Part:
    """Answers how often it was asked; raises `error` if there is one, and hangs while `goes_on` is not set."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.goes_on = Flag()
        self.goes_on.set()

    def ask(self) -> int:
        self.asked += 1
        answer = self.asked
        self.goes_on.wait()
        if self.error:
            raise self.error
        return answer


@pytest.fixture
def part() -> Iterator[Part]:
    part = Part()
    yield part
    part.goes_on.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_000_000)


@pytest.fixture
def kept(part: Part, clock: FakeClock) -> LastAnswer[int]:
    return LastAnswer(part.ask, 0, name="numbers", every=EVERY, limit=LIMIT, clock=clock)


@pytest.fixture
def polled(part: Part, clock: FakeClock) -> Iterator[LastAnswer[int]]:
    """Asks as often as it can."""
    polled = LastAnswer(part.ask, 0, name="numbers", every=0.001, limit=LIMIT, clock=clock)
    yield polled
    part.goes_on.set()
    polled.close()


def seconds(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def test_without_polling_the_one_who_looks_asks_when_it_is_due(kept: LastAnswer[int], clock: FakeClock) -> None:
    assert [kept.latest(), kept.latest()] == [1, 1]
    clock.now += EVERY - 1
    assert kept.latest() == 1
    clock.now += 1
    assert kept.latest() == 2


def test_without_polling_a_clock_that_is_set_back_does_not_put_off_the_next_question(
    kept: LastAnswer[int], clock: FakeClock
) -> None:
    assert kept.latest() == 1
    clock.now -= 1
    assert kept.latest() == 2


def test_without_polling_a_part_that_hangs_is_waited_for_once_for_a_moment(
    kept: LastAnswer[int], part: Part, clock: FakeClock
) -> None:
    assert kept.latest() == 1
    part.goes_on.clear()
    threads = threading.active_count()
    for _ in range(2):
        clock.now += EVERY
        assert PATIENCE_SECONDS <= seconds(kept.latest) < PATIENCE_SECONDS + PROMPT_SECONDS
        assert seconds(lambda: [kept.latest() for _ in range(100)]) < PROMPT_SECONDS
    assert kept.latest() == 1
    assert threading.active_count() == threads + 1  # which hangs, and no second one
    assert part.asked == 2
    part.goes_on.set()
    until(lambda: kept.latest() == 2)


def test_those_who_look_at_the_same_time_get_the_answer_to_one_question(kept: LastAnswer[int], part: Part) -> None:
    part.goes_on.clear()
    seen: list[int] = []
    threads = [Thread(target=lambda: seen.append(kept.latest())) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: part.asked == 1)
    part.goes_on.set()
    for thread in threads:
        thread.join()
    assert (seen, part.asked) == ([1] * 8, 1)


def test_an_answer_counts_from_the_question_on_and_not_longer_than_its_limit(
    kept: LastAnswer[int], part: Part, clock: FakeClock
) -> None:
    assert kept.latest() == 1
    part.error = StoreUnavailableError("away")
    clock.now += LIMIT
    assert kept.latest() == 1
    clock.now += 1
    with pytest.raises(TokenCheckUnavailableError, match="the numbers have been unknown for more than 1 h"):
        kept.latest()
    part.error = None
    clock.now += EVERY
    assert kept.latest() == part.asked


def test_what_stands_for_a_first_answer_counts_no_longer_than_one(
    kept: LastAnswer[int], part: Part, clock: FakeClock
) -> None:
    part.error = StoreUnavailableError("away")
    assert kept.latest() == 0
    clock.now += LIMIT + 1
    with pytest.raises(TokenCheckUnavailableError):
        kept.latest()


def test_polling_asks_again_and_again_and_has_an_answer_when_it_has_begun(polled: LastAnswer[int]) -> None:
    polled.poll()
    assert polled.latest() >= 1
    until(lambda: polled.latest() > 3)


def test_polling_a_part_that_hangs_from_the_start_on_is_waited_for_for_a_moment(
    polled: LastAnswer[int], part: Part
) -> None:
    part.goes_on.clear()
    assert PATIENCE_SECONDS <= seconds(polled.poll) < PATIENCE_SECONDS + PROMPT_SECONDS
    assert polled.latest() == 0
    part.goes_on.set()
    until(lambda: polled.latest() > 0)


def test_while_a_polled_part_hangs_nobody_waits_and_one_question_is_open(polled: LastAnswer[int], part: Part) -> None:
    polled.poll()
    part.goes_on.clear()
    asked = part.asked
    assert seconds(lambda: [polled.latest() for _ in range(1000)]) < PROMPT_SECONDS
    assert part.asked <= asked + 1
    assert seconds(polled.close) < PROMPT_SECONDS


def test_a_polled_part_that_hangs_for_too_long_makes_the_answer_too_old(
    polled: LastAnswer[int], part: Part, clock: FakeClock
) -> None:
    polled.poll(clock)
    part.goes_on.clear()
    asked = part.asked
    until(lambda: part.asked > asked)  # so that the last answer was asked for before the jump
    clock.now += LIMIT + 1
    with pytest.raises(TokenCheckUnavailableError):
        polled.latest()
    part.goes_on.set()
    until(lambda: part.asked > asked + 2)
    assert polled.latest() > asked


def test_a_wall_clock_that_jumps_makes_no_polled_answer_too_old(polled: LastAnswer[int], clock: FakeClock) -> None:
    polled.poll()
    clock.now += 10 * LIMIT
    assert polled.latest() >= 1


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), ZeroDivisionError("a bug")])
def test_neither_an_outage_nor_a_bug_ends_the_polling(polled: LastAnswer[int], part: Part, error: Exception) -> None:
    part.error = error
    polled.poll()
    until(lambda: part.asked > 3)
    assert polled.latest() == 0
    part.error = None
    until(lambda: polled.latest() > 0)


def test_an_outage_has_one_line_in_the_log_and_its_end_another(
    kept: LastAnswer[int], part: Part, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for error in (None, StoreUnavailableError("away"), StoreUnavailableError("away"), None, None):
        part.error = error
        kept.latest()
        clock.now += EVERY
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "token_check_stale"),
        ("INFO", "token_check_available"),
    ]
    assert caplog.records[0].__dict__["subject"] == "numbers"


def test_after_closing_no_thread_asks(polled: LastAnswer[int]) -> None:
    polled.poll()
    polled.close()
    assert "poll numbers" not in {thread.name for thread in threading.enumerate()}
