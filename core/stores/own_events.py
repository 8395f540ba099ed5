"""Insertion of the service's own audit events, in the transaction of the operation that they record."""

import uuid
from collections.abc import Sequence

from sqlalchemy import Connection

from core.domain.models import Event
from core.domain.reconciliation import minute_of
from core.stores import event_counters
from core.stores.dialects import StoreDialect
from core.stores.sealing import insert_sealed


def insert_own_event(connection: Connection, dialect: StoreDialect, event: Event) -> None:
    """Insert one event, see `insert_own_events`."""
    insert_own_events(connection, dialect, [event])


def insert_own_events(connection: Connection, dialect: StoreDialect, events: Sequence[Event]) -> None:
    """Insert events that were not accepted by a handler, and count them as accepted and stored, for reconciliation.

    There is at least one, and all were received at the same time.

    Raises:
        StoreUnavailableError: nothing can be committed; trying again helps.
    """
    insert_sealed(connection, dialect, events)
    minute, count = minute_of(events[0].received_at), len(events)
    # A new source, because no other transaction may write the counters of a source meanwhile.
    counts: event_counters.Counts = {(minute, event_counters.ACCEPTED): count, (minute, event_counters.STORED): count}
    event_counters.add(connection, uuid.uuid4().hex, counts)
