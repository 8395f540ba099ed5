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
    queries. Each may have to sort before its first row, and takes longer the larger it is: none is started for whose
    first row the time is too short.
    """
    deadline = monotonic() + limits.seconds
    found = _Found(to_event, wanted, page)
    size, left, position, waited = _FIRST_ROWS, limits.rows, page.after, 0.0
    while True:
        size = min(size, left)
        last, number, started = None, 0, monotonic()
        for last in islice(read(PageRequest(limit=size, order=page.order, after=position)), size):
            number += 1
            if number == 1:
                waited = monotonic() - started
            if found.add(last):
                return found.matches("gte", more=True)
            if number == left or monotonic() > deadline:
                break
        rest = deadline - monotonic()
        if last is None or (number < size and rest >= 0):
            return found.matches("eq", more=False)
        position = found.position_after(last)
        left -= number
        if not left or waited > rest:
            return found.matches("gte", more=True, stopped_at=position)
        if waited * _GROWTH <= rest:
            size *= _GROWTH


class _Found:
    """Matches of a page, after those that its position or its offset leaves out."""

    def __init__(self, to_event: Callable[[Any], Event], wanted: EventFilter, page: PageRequest) -> None:
        self._to_event = to_event
        self._wanted = wanted
        self._limit = page.limit
        self._before = page.after.offset if page.after else 0
        self._left_out = page.after.skip if page.after else page.offset
        self._events: list[Event] = []

    def add(self, row: Any) -> bool:
        """Examine a row. Returns whether there are more matches than the page has events."""
        if matches(row, self._wanted):
            if self._left_out:
                self._left_out -= 1
                self._before += 1
            else:
                self._events.append(self._to_event(row))
        return len(self._events) > self._limit

    def position_after(self, row: Any) -> Position:
        return Position.after(row, self._before + len(self._events), self._left_out)

    def matches(self, relation: TotalRelation, *, more: bool, stopped_at: Position | None = None) -> Matches:
        total = self._before + len(self._events)
        return Matches(
            events=self._events[: self._limit],
            more=more,
            total_count=min(total, COUNT_LIMIT),
            total_relation=relation if total <= COUNT_LIMIT else "gte",
            stopped_at=stopped_at,
        )
