"""Reconciliation use case: gathers its figures from the event store, the queue and the dead letters."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine, func, select

from core.domain.reconciliation import Reconciliation, Window, minute_of, moment_of
from core.ports.queue import QueueMonitor
from core.stores.connections import open_connection
from core.stores.event_counters import EventCounters
from core.stores.schema import events

_MINUTES_PER_QUERY: Final = 60
"""Bounds a query where there are thousands of events a second, so that it stays below the time limit of a statement."""


def reconcile(  # noqa: PLR0913 - one source for each figure
    window: Window,
    counters: EventCounters,
    queue: QueueMonitor,
    *,
    dead_lettered: Callable[[], int] | None = None,
    accepted: Callable[[Window], int] | None = None,
    stored: Callable[[Window], int] | None = None,
) -> Reconciliation:
    """Compare the events that were accepted in `window` with what became of them.

    The figures are read in the order in which events move, from accepted to stored: an event that moves on meanwhile is
    counted twice and never missed.

    Args:
        window: Past minutes, in which no more events are accepted.
        counters: Counters of accepted, stored and repeated events.
        queue: Reads the queue's statistics.
        dead_lettered: Counts the dead letters; default: all in the queue's statistics.
        accepted: Counts accepted events that are not among the counters.
        stored: Counts stored events, see `rows_received`; default: their counters, which cost less, but do not show
            that rows were deleted or lost.

    Raises:
        StoreUnavailableError: the event store is unreachable.
        QueueUnavailableError: the queue is unreachable.
    """
    counted = 0 if accepted is None else accepted(window)
    statistics = queue()
    given_up = (statistics.dead_letters or 0) if dead_lettered is None else dead_lettered()
    sums = counters.sums(window.start, window.end)
    return Reconciliation(
        accepted=counted + sums["accepted"],
        stored=sums["stored"] if stored is None else stored(window),
        repeated=sums["repeated"],
        dead_lettered=given_up,
        in_flight=statistics.held,
        dropped=0 if stored is None else sums["dropped"],
    )


def rows_received(engine: Engine, window: Window) -> int:
    """Count the rows of events that were received in `window`. The cost grows with their number, not with the table.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    received, end = events.c.received_at, moment_of(window.end)
    count, minute = 0, window.start
    with open_connection(engine) as connection:
        while minute < window.end:
            first = connection.scalar(select(func.min(received)).where(received >= moment_of(minute), received < end))
            if first is None:
                break
            minute = minute_of(first) + _MINUTES_PER_QUERY
            part = received >= first, received < min(moment_of(minute), end)
            count += connection.execute(select(func.count()).where(*part)).scalar_one()
    return count
