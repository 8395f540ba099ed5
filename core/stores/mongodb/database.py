"""One MongoDB of events: its stores, each built and imported at first use, and the refusal of what it lacks."""

from functools import cached_property
from typing import TYPE_CHECKING, Final, NoReturn

from core.errors import NotSupportedError
from core.stores.database import Database
from core.stores.mongodb import indexes
from core.stores.mongodb.clients import MongoClientStore
from core.stores.mongodb.connection import Connection, writing
from core.stores.mongodb.event_counters import MongoEventCounters
from core.stores.mongodb.events import MongoEventStore
from core.stores.mongodb.own_events import store_own, store_recorded
from core.stores.mongodb.reconciliation import rows_received
from core.stores.mongodb.retention import MongoRetention
from core.stores.mongodb.summaries import MongoEventSummaries

if TYPE_CHECKING:
    from core.domain.models import Event
    from core.domain.reconciliation import Window
    from core.ports.ledger import EventOrder

_LACKING: Final = (
    "The event store is MongoDB, which has no ledger here: the feed, streams, erasures, proofs, `audit-log ledger`, "
    "`hold`, `erase`, `stream` and `partitions`, and an archive of retention need PostgreSQL, MySQL, MariaDB or SQLite "
    "(AUDIT_LOG_DATABASE_URL)."
)


class MongoDatabase(Database):
    """The stores of one MongoDB. What needs the ledger raises NotSupportedError."""

    keeps_ledger = False

    def __init__(self, url: str) -> None:
        """Remember `url`, which names the database in its path.

        Raises:
            InvalidSettingsError: not a URL of MongoDB.
        """
        super().__init__(url, with_commitments=False)
        self._connection = Connection(url)
        self._opened.callback(self._connection.close)

    @property
    def engine(self) -> NoReturn:
        """Refuse an operation that needs a SQL database."""
        raise NotSupportedError(_LACKING)

    @cached_property
    def events(self) -> MongoEventStore:
        """Writes and reads events."""
        return MongoEventStore(self._connection)

    @cached_property
    def summaries(self) -> MongoEventSummaries:
        """Summarizes events."""
        return MongoEventSummaries(self._connection)

    @cached_property
    def clients(self) -> MongoClientStore:
        """Looks up and changes API clients."""
        return MongoClientStore(self._connection)

    @cached_property
    def ledger(self) -> "EventOrder":
        """Gives no event an index."""
        return _NoOrder()

    @cached_property
    def event_counters(self) -> MongoEventCounters:
        """Counts of accepted, stored and repeated events by minute."""
        return MongoEventCounters(self._connection)

    @cached_property
    def retention(self) -> MongoRetention:
        """Keeps the retention rules, and deletes events by them."""
        return MongoRetention(self._connection)

    def record(self, event: "Event") -> None:
        """See `Database.record`."""
        with writing():
            store_own(self._connection, event)

    def rows_received(self, window: "Window") -> int:
        """See `Database.rows_received`."""
        return rows_received(self._connection, window)

    def migrate(self) -> tuple[str | None, str]:
        """Create missing indexes; return the revisions before and after. See `Database.migrate`."""
        revisions = indexes.migrate(self._connection)
        store_recorded(self._connection)
        return revisions

    def check_revision(self) -> dict[str, object]:
        """See `Database.check_revision`."""
        return indexes.check_revision(self._connection)


class _NoOrder:
    """Implements `EventOrder` by giving no index."""

    def integrate(self) -> int:
        return 0

    def check(self) -> dict[str, object]:
        raise NotSupportedError(_LACKING)
