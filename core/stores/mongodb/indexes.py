"""Indexes of the newest schema, the revisions that bring a database to it, and the check of it."""

from collections.abc import Callable, Mapping
from typing import Final

from pymongo import IndexModel
from pymongo.database import Database as Collections

from core.errors import InvalidSettingsError, StoreUnavailableError
from core.stores.mongodb.connection import Connection, Document, reading, writing
from core.stores.mongodb.filters import ASCENDING, DESCENDING

_REVISION: Final = {"_id": "revision"}
_ORDER: Final = [("timestamp_utc", DESCENDING), ("_id", DESCENDING)]
# As in the SQL databases, each has the filtered fields first and the order of a page last. `_id` is unique by itself.
_EVENT_INDEXES: Final = {
    "ix_events_customer_type_time": [("customer_id", ASCENDING), ("event_type", ASCENDING), *_ORDER],
    "ix_events_customer_time": [("customer_id", ASCENDING), *_ORDER],
    "ix_events_type_time": [("event_type", ASCENDING), *_ORDER],
    "ix_events_time": _ORDER,
    "ix_events_terms_time": [("terms", ASCENDING), *_ORDER],
    "ix_events_received": [("received_at", ASCENDING)],
}
_COUNTER_INDEXES: Final = {
    "ix_counters_source": [("source", ASCENDING)],
    "ix_counters_last": [("last", ASCENDING)],
}


def _create_indexes(collections: Collections[Document]) -> None:
    for name, indexes in {"events": _EVENT_INDEXES, "counters": _COUNTER_INDEXES}.items():
        collections[name].create_indexes([IndexModel(keys, name=index) for index, keys in indexes.items()])


_REVISIONS: Final[Mapping[str, Callable[[Collections[Document]], None]]] = {"0001": _create_indexes}
"""Each can be applied again: a killed migration is repeated, and two processes may run it at once."""

NEWEST: Final = max(_REVISIONS)


def migrate(connection: Connection) -> tuple[str | None, str]:
    """Apply all missing revisions; return the revision before and after. Safe to run in several processes at once.

    Raises:
        StoreUnavailableError: the database is unreachable, or refuses.
        InvalidSettingsError: a newer version of this service made it, or the server is not standalone.
    """
    connection.require_standalone()
    with writing():
        before = _revision(connection.writes)
        if before is not None and before > NEWEST:
            raise InvalidSettingsError(
                "The database was made by a newer version of this service: run that version, or use another database."
            )
        for revision, apply in sorted(_REVISIONS.items()):
            if before is None or before < revision:
                apply(connection.writes)
                connection.writes.schema.update_one(_REVISION, {"$max": {"revision": revision}}, upsert=True)
    return before, NEWEST


def check_revision(connection: Connection) -> dict[str, object]:
    """Implement `Check`: the database is at the newest revision.

    Raises:
        StoreUnavailableError: it is at another revision, or unreachable.
        InvalidSettingsError: the server is not standalone.
    """
    connection.require_standalone()
    with reading():
        revision = _revision(connection.reads)
    if revision != NEWEST:
        raise StoreUnavailableError(
            f"The database is at revision {revision or 'none'}, and this version of the service needs {NEWEST}: run "
            "`audit-log migrate` of the newest version, and run that version on every host."
        )
    return {"revision": NEWEST}


def _revision(collections: Collections[Document]) -> str | None:
    found = collections.schema.find_one(_REVISION)
    return found["revision"] if found else None
