"""Step of the kind `threshold`: fires at the N-th event within W seconds, then is quiet for W seconds.

All times are those of the events, so that the result does not depend on when the events are evaluated. They may come in
any order: an event fires if it completes any window that it lies in. Ignored are history (`Match.is_history`), events
that happened more than W + 1 h before the newest one of the key, and those up to W after the last one of an alert.
"""

from bisect import bisect_left, bisect_right, insort

from core.alerts.steps import MAX_IDS, Data, Firing, Match
from core.domain.alert_rules import LATE_SECONDS, MAX_THRESHOLD


def step(data: Data | None, match: Match, threshold: int, window: int) -> tuple[Data | None, Firing | None]:
    """Count an event. `data` has `times` (sorted Unix seconds), `ids` (the newest event ids) and `quiet_until`."""
    data = data or {"times": [], "ids": [], "quiet_until": None}
    times: list[int] = [*data["times"]]
    quiet_until: int | None = data["quiet_until"]
    newest = max(match.time, times[-1] if times else match.time)
    is_quiet = quiet_until is not None and match.time <= quiet_until
    if match.is_history or is_quiet or match.time < newest - window - LATE_SECONDS:
        return data, None
    insort(times, match.time)
    oldest = newest - 2 * window - LATE_SECONDS  # no later event has a window that begins before
    times = [time for time in times if time >= oldest][-MAX_THRESHOLD:]
    ids = [*data["ids"], match.event_id][-MAX_IDS:]
    inside = _window(times, match.time, threshold, window)
    if not inside:
        return {"times": times, "ids": ids, "quiet_until": quiet_until}, None
    firing = Firing(len(inside), inside[0], inside[-1], tuple(ids[-len(inside) :]))
    return {"times": [], "ids": [], "quiet_until": inside[-1] + window}, firing


def _window(times: list[int], new: int, threshold: int, window: int) -> list[int]:
    """Return the times of the first window with enough events that has a new one in it; empty if there is none."""
    for start in range(bisect_left(times, new - window), min(bisect_right(times, new), len(times) - threshold + 1)):
        end = times[start] + window
        if times[start + threshold - 1] <= end:
            return times[start : bisect_right(times, end)]
    return []
