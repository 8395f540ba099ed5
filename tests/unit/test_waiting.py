import time
from functools import partial

import pytest

from tests.support.waiting import retried, until, within


def test_what_a_condition_returns_is_returned_once_it_is_true() -> None:
    numbers = iter([0, 0, 3, 4])
    assert until(lambda: next(numbers)) == 3


def test_a_wait_that_ends_says_what_it_waited_for_and_what_there_was() -> None:
    there: list[int] = []
    with pytest.raises(AssertionError, match=r"within 0 s: until\(lambda: there, .*last: \[\]\)\nthe log$"):
        until(lambda: there, seconds=0, shown=lambda: "the log")
    with pytest.raises(AssertionError, match=r"within 0 s: an event \(last: \[\]\)$"):
        until(lambda: there, "an event", seconds=0)
    with pytest.raises(AssertionError, match=r"partial\(<class 'bool'>, 0\)"):
        until(partial(bool, 0), seconds=0)


def test_work_is_repeated_for_the_errors_that_are_named_alone() -> None:
    left = [TimeoutError("second"), TimeoutError("first")]

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    assert retried(work, TimeoutError) == "done"
    left = [TimeoutError("late")]
    with pytest.raises(TimeoutError, match="late"):
        retried(work, TimeoutError, seconds=-1)
    left = [TimeoutError("another")]
    with pytest.raises(TimeoutError, match="another"):
        retried(work, ValueError)


def test_work_may_take_longer_at_first() -> None:
    pauses = [0.2, 0.2, 0.0]
    within(0.1, lambda: time.sleep(pauses.pop(0)))
    assert pauses == []
