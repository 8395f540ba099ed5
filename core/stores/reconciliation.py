"""Reconciliation use case: gathers its figures from the event store, the queue and the dead letters."""

from collections.abc import Callable

from core.domain.reconciliation import Reconciliation, Window
from core.ports.queue import QueueMonitor
from core.stores.event_counters import SqlEventCounters


def reconcile(
    window: Window,
    counters: SqlEventCounters,
    queue: QueueMonitor,
    *,
    dead_lettered: Callable[[], int] | None = None,
    accepted: Callable[[Window], int] | None = None,
) -> Reconciliation:
    """Compare the events that were accepted in `window` with what became of them.

    The figures are read in the order in which events move, from accepted to stored: an event that moves on meanwhile is
    counted twice and never missed.

    Args:
        window: Past minutes, in which no more events are accepted.
        counters: Counters of accepted, stored and repeated events.
        queue: Reads the queue's statistics.
        dead_lettered: Counts the dead letters; default: all in the queue's statistics.
        accepted: Counts the accepted events, if their counters are outside the event store.

    Raises:
        StoreUnavailableError: the event store is unreachable.
        QueueUnavailableError: the queue is unreachable.
    """
    counted = None if accepted is None else accepted(window)
    statistics = queue()
    given_up = (statistics.dead_letters or 0) if dead_lettered is None else dead_lettered()
    sums = counters.sums(window.start, window.end)
    return Reconciliation(
        accepted=sums["accepted"] if counted is None else counted,
        stored=sums["stored"],
        repeated=sums["repeated"],
        dead_lettered=given_up,
        in_flight=statistics.held,
    )
