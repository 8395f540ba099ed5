"""The service's own audit events: each is first kept in the document whose change it records, then stored as an event.

So a change and its event are one atomic write: both or neither. An event that could not be stored at once is stored
with the next change, at the next start, or with the next round of retention.
"""

import contextlib
from typing import Final

from pymongo.errors import DuplicateKeyError

from core.domain.models import Event
from core.domain.reconciliation import minute_of
from core.errors import StoreUnavailableError
from core.stores.event_counters import ACCEPTED, STORED
from core.stores.mongodb.connection import Connection, Document, writing
from core.stores.mongodb.documents import to_document
from core.stores.mongodb.event_counters import count_once

RECORDS: Final = "records"
"""Member with the events that are still to be stored: their JSON by their ids."""

_HOLDERS: Final = ("clients", "retention")


def recorded(record: Event) -> Document:
    """Return what `$set` needs for a change that `record` is the event of."""
    return {f"{RECORDS}.{record.event_id}": record.to_json().decode()}


def store_recorded(connection: Connection) -> None:
    """Store all events that are kept with the changes they record.

    Raises:
        StoreUnavailableError: trying again later helps.
    """
    with writing():
        for holder in _HOLDERS:
            collection = connection.writes[holder]
            for document in list(collection.find({RECORDS: {"$exists": True, "$ne": {}}}, {RECORDS: 1})):
                for event_id, text in document[RECORDS].items():
                    store_own(connection, Event.model_validate_json(text))
                    collection.update_one({"_id": document["_id"]}, {"$unset": {f"{RECORDS}.{event_id}": ""}})


def try_to_store_recorded(connection: Connection) -> None:
    """Do so if the server is available: the change itself is stored."""
    with contextlib.suppress(StoreUnavailableError):
        store_recorded(connection)


def store_own(connection: Connection, event: Event) -> None:
    """Store an event that was not accepted by a handler, and count it as accepted and stored; again without effect."""
    writer = f"own-{event.event_id}"
    minute = minute_of(event.received_at)
    with contextlib.suppress(DuplicateKeyError):
        connection.writes.events.insert_one(to_document(event, writer, 1))
    count_once(connection, writer, {(minute, ACCEPTED): 1, (minute, STORED): 1})
