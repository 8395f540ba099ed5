"""Search for what no index finds: examines events one by one, within bounds, and returns how far it came."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any, Final

from core.domain.matching import matches
from core.domain.models import Event
from core.domain.queries import EventFilter, Matches, PageRequest, Position, TotalRelation

COUNT_LIMIT: Final = 10_000
"""Highest number of matches that is counted, because the cost of a count grows with it."""

_FIRST_ROWS: Final = 250
_GROWTH: Final = 4

Read = Callable[[PageRequest], Iterable[Any]]
"""Reads the rows of a page, at most its limit, in its order. A row has the attributes of an event."""


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Bounds of one search. It ends at the first that it reaches, having examined at least one event."""

    rows: int = 20_000
    seconds: float = 0.5


def search(
    read: Read, to_event: Callable[[Any], Event], wanted: EventFilter, page: PageRequest, limits: SearchLimits
) -> Matches:
    """Return the events of a page of all that `read` returns and that match `wanted`.

    Only rows that match become events, which takes as much time as a comparison.
    `read` is called with larger and larger pages: a frequent value is found after a few rows, and a rare one with few
    queries, each of which may have to sort.
    """
    deadline = monotonic() + limits.seconds
    counted = page.after.offset if page.after else 0
    left_out = page.after.skip if page.after else page.offset
    found: list[Event] = []
    size, left, position = _FIRST_ROWS, limits.rows, page.after
    while True:
        size = min(size, left)
        last, number = None, 0
        started = monotonic()
        for last in islice(read(PageRequest(limit=size, order=page.order, after=position)), size):
            number += 1
            if matches(last, wanted):
                if left_out:
                    left_out -= 1
                    counted += 1
                else:
                    found.append(to_event(last))
                    if len(found) > page.limit:
                        return _matches(found[: page.limit], counted + len(found), "gte", more=True)
            if number == left or monotonic() > deadline:
                break
        if last is None or (number < size and monotonic() <= deadline):
            return _matches(found, counted + len(found), "eq", more=False)
        position = Position.after(last, counted + len(found), left_out)
        left -= number
        rest, spent = deadline - monotonic(), monotonic() - started
        if not left or spent > rest:  # the next query would take as long as this one
            return _matches(found, counted + len(found), "gte", more=True, stopped_at=position)
        if spent * _GROWTH <= rest:
            size *= _GROWTH


def _matches(
    events: list[Event], total: int, relation: TotalRelation, *, more: bool, stopped_at: Position | None = None
) -> Matches:
    return Matches(
        events=events,
        more=more,
        total_count=min(total, COUNT_LIMIT),
        total_relation=relation if total <= COUNT_LIMIT else "gte",
        stopped_at=stopped_at,
    )
