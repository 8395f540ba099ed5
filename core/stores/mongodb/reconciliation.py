"""The number of stored events that were received in a window, for reconciliation."""

from typing import Final

from core.domain.reconciliation import Window, moment_of
from core.stores.mongodb.connection import Connection, writing

_MINUTES_PER_QUERY: Final = 60
"""Bounds a query where there are thousands of events a second."""


def rows_received(connection: Connection, window: Window) -> int:
    """Count the events that were received in `window`, by the index of receive times.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    count = 0
    with writing():
        for minute in range(window.start, window.end, _MINUTES_PER_QUERY):
            end = min(minute + _MINUTES_PER_QUERY, window.end)
            part = {"received_at": {"$gte": moment_of(minute), "$lt": moment_of(end)}}
            count += connection.writes.events.count_documents(part)
    return count
