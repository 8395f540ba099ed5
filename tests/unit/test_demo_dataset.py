"""The sample data of `audit-log demo`."""

import pytest

from local_runner.cli.demo.dataset import DAYS, LAST_ACT, history

DAY = 86_400
MIDNIGHT = 1_780_012_800


@pytest.mark.parametrize("hour", [0, 6, 12, 23])
def test_a_new_demo_has_events_of_every_day_up_to_the_last_minutes(hour: int) -> None:
    now = MIDNIGHT + hour * 3600 + 5
    times = [event.timestamp_utc for event in history(now, 0)]
    assert times == sorted(times)
    assert times[-1] == now
    assert sum(time > now - 3600 for time in times) >= 10
    assert {(time - MIDNIGHT) // DAY for time in times} >= {*range(-DAYS, 0)}


@pytest.mark.parametrize("days", [0.01, 1, 7, 90])
def test_a_demo_that_starts_again_gets_the_events_since_it_ended(days: float) -> None:
    now = MIDNIGHT + int(days * DAY)
    added = history(now, MIDNIGHT)
    assert all(event.timestamp_utc > MIDNIGHT for event in added)
    assert added[-1].timestamp_utc == now
    assert [event.event_type for event in added].count(LAST_ACT) == (days > 2)
