"""Record of the catalogues that were in force: an audit event at each start with another digest than the last one."""

from datetime import datetime
from typing import Final

from sqlalchemy import Engine, select

from core.domain.audit_events import audit_event
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER
from core.stores.connections import open_connection, open_read_connection
from core.stores.dialects import dialect_of
from core.stores.own_events import insert_own_event
from core.stores.schema import events

KIND: Final = "catalogue"
_SUBJECT: Final = "event types"


def record_catalogue(engine: Engine, digest: str | None, *, strict: bool, at: datetime) -> bool:
    """Record the catalogue of this process by `audit-log.catalogue`, unless the newest such event has the same facts.

    `digest` is None without a catalogue, which is recorded only after one. Two processes that start at the same moment
    may both record. Returns whether an event was inserted.

    Raises:
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    facts = {"digest": digest, "strict": strict}
    newest = (
        select(events.c.event_data)
        .where(events.c.event_type == RESERVED_PREFIX + KIND, events.c.customer_id == SYSTEM_CUSTOMER)
        .order_by(events.c.timestamp_utc.desc(), events.c.event_id.desc())
        .limit(1)
    )
    with open_read_connection(engine) as connection:
        last = connection.execute(newest).scalar() or {}  # erasing may have emptied it
    if (last.get("digest"), last.get("strict", False)) == (digest, strict):
        return False
    with open_connection(engine) as connection:
        insert_own_event(connection, dialect_of(engine), audit_event(KIND, _SUBJECT, at=at, **facts))
        connection.commit()
    return True
