"""Step of the kind `first_seen`: fires at a value that was not seen before, or not for `forget_days`."""

from core.alerts.steps import Data, Firing, Match

_DAY_SECONDS = 24 * 3600


def step(
    data: Data | None, match: Match, forget_days: int | None, *, learns: bool
) -> tuple[Data | None, Firing | None]:
    """Note that a value was seen. `data` has `last`, the Unix second of its newest event.

    A value that is seen while the rule `learns`, or in an event that is history, is known from then on, without alert.
    """
    last: int | None = data["last"] if data else None
    is_new = last is None or (forget_days is not None and match.time - last > forget_days * _DAY_SECONDS)
    noted = {"last": match.time if last is None else max(last, match.time)}
    if learns or match.is_history or not is_new:
        return noted, None
    return noted, Firing(1, match.time, match.time, (match.event_id,))
