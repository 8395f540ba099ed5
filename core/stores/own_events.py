"""Insertion of the service's own audit events, in the transaction of the operation that they record."""

import uuid

from sqlalchemy import Connection

from core.domain.models import Event
from core.domain.reconciliation import minute_of
from core.stores import event_counters
from core.stores.dialects import StoreDialect
from core.stores.sealing import insert_sealed


def insert_own_event(connection: Connection, dialect: StoreDialect, event: Event) -> None:
    """Insert an event that was not accepted by a handler, and count it as accepted and stored, for reconciliation.

    Raises:
        StoreUnavailableError: nothing can be committed; trying again helps.
    """
    insert_sealed(connection, dialect, [event])
    minute = minute_of(event.received_at)
    # A new source, because no other transaction may write the counters of a source meanwhile.
    counts: event_counters.Counts = {(minute, event_counters.ACCEPTED): 1, (minute, event_counters.STORED): 1}
    event_counters.add(connection, uuid.uuid4().hex, counts)
