"""Steps of the kinds of rules: equal to counting afresh, for events in any order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.alerts import absence, first_seen, threshold
from core.alerts.steps import Firing, Match, match_of
from tests.support.alert_rules import LATE, START, counted_afresh, happened

WINDOW = 60
DAY = 86400

offsets = st.one_of(st.integers(0, 300), st.integers(0, 9000))
histories = st.lists(st.tuples(offsets, st.booleans()), max_size=40)


def matches_of(history: list[tuple[int, bool]]) -> list[Match]:
    """Most of a history is not too late."""
    return [
        Match(str(number), second, is_history and number % 3 == 0)
        for number, (second, is_history) in enumerate(history)
    ]


@given(histories, st.integers(1, 5))
def test_a_threshold_fires_as_counting_afresh_does(history: list[tuple[int, bool]], wanted: int) -> None:
    alerts: list[tuple[str, int, int, int]] = []
    data: dict[str, Any] | None = None
    for match in matches_of(history):
        data, firing = threshold.step(data, match, wanted, WINDOW)
        if firing:
            alerts.append((match.event_id, firing.events, firing.first, firing.last))
    assert alerts == counted_afresh(matches_of(history), wanted, WINDOW)


def test_a_threshold_fires_once_and_is_then_quiet_for_its_window() -> None:
    fired: list[int] = []
    data: dict[str, Any] | None = None
    for second in (0, 30, 60, 61, 119, 120, 121, 130, 140):
        data, firing = threshold.step(data, Match(str(second), second, is_history=False), 3, WINDOW)
        if firing:
            fired.append(second)
            assert len(firing.event_ids) == 3
    assert fired == [60, 140]


def test_a_threshold_remembers_few_times_for_any_number_of_events() -> None:
    data: dict[str, Any] | None = None
    for second in range(0, 400_000, 61):
        data, firing = threshold.step(data, Match("x", second, is_history=False), 2, WINDOW)
        assert firing is None
    assert data is not None
    assert len(data["times"]) <= (2 * WINDOW + LATE) // 61 + 1
    for _ in range(3000):
        data, _ = threshold.step(data, Match("x", 500_000, is_history=False), 5000, WINDOW)
    assert data is not None
    assert len(data["times"]) == 1000


@given(st.lists(st.tuples(st.integers(0, 10 * DAY), st.booleans(), st.booleans()), max_size=30))
def test_a_value_is_new_if_no_event_before_had_it_within_the_days(history: list[tuple[int, bool, bool]]) -> None:
    data: dict[str, Any] | None = None
    seen: list[int] = []
    for number, (second, late, learns) in enumerate(history):
        data, firing = first_seen.step(data, Match(str(number), second, late), 2, learns=learns)
        is_new = not seen or second - max(seen) > 2 * DAY
        assert (firing is not None) == (is_new and not late and not learns)
        seen.append(second)


@given(st.lists(st.integers(0, 300), max_size=30))
def test_absence_fires_once_between_two_events_if_the_newest_one_is_old(times: list[int]) -> None:
    data: dict[str, Any] | None = absence.waiting_since(0, [])
    newest, fired = 0, False
    for number, second in enumerate(times):
        assert data is not None
        data, firing = absence.expire(data, WINDOW, second)
        assert (firing is not None) == (not fired and second - newest > WINDOW)
        fired = fired or firing is not None
        if second % 2:
            data, _ = absence.step(data, Match(str(number), second, is_history=False), [])
            fired = fired and second < newest
            newest = max(newest, second)


def test_absence_does_not_begin_to_wait_by_history() -> None:
    assert absence.step(None, Match("a", 5, is_history=True), []) == (None, None)


def test_absence_names_the_last_event() -> None:
    data, _ = absence.step(None, Match("a", 5, is_history=False), [42])
    assert data is not None
    assert absence.expire(data, 10, 16)[1] == Firing(0, 5, 5, ("a",))


def test_a_time_in_the_future_counts_as_that_of_reception() -> None:
    assert match_of(happened(1, 500, delay=-500), WINDOW).time == START


def test_an_event_that_is_received_later_than_its_window_and_an_hour_is_history() -> None:
    assert not match_of(happened(1, 0, delay=WINDOW + LATE), WINDOW).is_history
    assert match_of(happened(1, 0, delay=WINDOW + LATE + 1), WINDOW).is_history
