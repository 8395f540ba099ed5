"""The parts of the database of a store, for tests that hold for every kind of database."""

from typing import Any, Final, NamedTuple

from core.ports.clients import ClientStore
from core.ports.retention import Retention
from core.ports.store import EventSummaries
from core.stores import summaries as sql_summaries
from core.stores.clients import SqlClientStore
from core.stores.event_counters import EventCounters, SqlEventCounters
from core.stores.mongodb import summaries as mongodb_summaries
from core.stores.mongodb.clients import MongoClientStore
from core.stores.mongodb.connection import Connection
from core.stores.mongodb.event_counters import MongoEventCounters
from core.stores.mongodb.events import MongoEventStore
from core.stores.mongodb.retention import MongoRetention
from core.stores.mongodb.summaries import MongoEventSummaries
from core.stores.search import SearchLimits
from core.stores.sql import SqlEventStore
from core.stores.sql_retention import SqlRetention
from core.stores.summaries import SqlEventSummaries

DATABASES: Final = ("sqlite", "postgresql", "mariadb", "mongodb")
"""The kinds of databases that the contract of stores holds for."""

LONG: Final = SearchLimits(seconds=60)
"""So that a slow machine stops no search."""

DatabaseStore = SqlEventStore | MongoEventStore


class Parts(NamedTuple):
    """What else is in the database of a store."""

    clients: ClientStore
    counters: EventCounters
    retention: Retention
    summaries: EventSummaries
    summaries_module: Any
    """The module with the bounds of the summaries."""


def parts_of(store: DatabaseStore) -> Parts:
    """The other parts of the same database."""
    if isinstance(store, MongoEventStore):
        connection = connection_of(store)
        return Parts(
            MongoClientStore(connection),
            MongoEventCounters(connection),
            MongoRetention(connection),
            MongoEventSummaries(connection),
            mongodb_summaries,
        )
    engine = store._engine  # noqa: SLF001 - a store shows it to no other code
    return Parts(
        SqlClientStore(engine),
        SqlEventCounters(engine),
        SqlRetention(engine),
        SqlEventSummaries(engine),
        sql_summaries,
    )


def connection_of(store: MongoEventStore) -> Connection:
    """The connection of a store."""
    return store._connection  # noqa: SLF001 - a store shows it to no other code


def with_limits(store: DatabaseStore, limits: SearchLimits) -> DatabaseStore:
    """A store of the same database with other bounds of its searches."""
    if isinstance(store, MongoEventStore):
        return MongoEventStore(connection_of(store), limits)
    return SqlEventStore(store._engine, search_limits=limits)  # noqa: SLF001 - as above
