"""Record of the catalogues that were in force: an audit event at each start with another digest than the last one."""

from datetime import datetime
from typing import Final

from core.domain.audit_events import audit_event
from core.domain.models import RESERVED_PREFIX, SYSTEM_CUSTOMER
from core.domain.queries import EventFilter, PageRequest
from core.stores.database import Database

KIND: Final = "catalogue"
_SUBJECT: Final = "event types"


def record_catalogue(database: Database, digest: str | None, *, strict: bool, at: datetime) -> bool:
    """Record the catalogue of this process by `audit-log.catalogue`, unless the newest such event has the same facts.

    `digest` is None without a catalogue, which is recorded only after one. Two processes that start at the same moment
    may both record. Returns whether an event was inserted.

    Raises:
        StoreUnavailableError: nothing was changed; trying again later helps.
    """
    facts = {"digest": digest, "strict": strict}
    recorded = EventFilter(event_types=(RESERVED_PREFIX + KIND,), customer_ids=(SYSTEM_CUSTOMER,))
    newest = database.events.find_page(recorded, PageRequest(limit=1)).events
    last = newest[0].event_data if newest else {}  # erasing may have emptied it
    if (last.get("digest"), last.get("strict", False)) == (digest, strict):
        return False
    database.record(audit_event(KIND, _SUBJECT, at=at, **facts))
    return True
