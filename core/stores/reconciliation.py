"""Gathers the figures of a reconciliation from the event store, the queue and its dead letters."""

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
        window: Minutes that are over, so that nothing more is accepted in them.
        counters: What processes counted as accepted, stored and repeated.
        queue: Reads the queue's statistics.
        dead_lettered: Counts the dead letters; by default the queue's statistics have their number.
        accepted: Counts the accepted events, where that is done outside the event store.

    Raises:
        StoreUnavailableError: the event store cannot be reached.
        QueueUnavailableError: the queue cannot be reached.
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
