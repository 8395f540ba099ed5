"""One database of events: its stores over one engine, each built and imported at first use."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

from core.ports.clients import RevocationList

if TYPE_CHECKING:  # a function pays at its cold start for what it uses: docs/explanation/performance.md
    from sqlalchemy import Engine

    from core.domain.models import Event
    from core.domain.reconciliation import Window
    from core.ports.alert_rules import AlertMemory, AlertRuleAdmin
    from core.ports.clients import ClientStore
    from core.ports.feed import FeedReader
    from core.ports.ledger import EventOrder, LedgerProofs
    from core.ports.retention import Retention
    from core.ports.sessions import SessionStore
    from core.ports.store import EventStore, EventSummaries
    from core.ports.streams import StreamAdmin, StreamLeases
    from core.stores.erasing import Eraser
    from core.stores.event_counters import EventCounters


class Database:
    """The stores of one SQL database. Connects at first use; safe to use from several threads once a store is built.

    `core.stores.mongodb.database` has those of MongoDB, and `core.stores.opening` chooses.
    """

    keeps_ledger = True
    """Whether the database has the tables of the ledger, which the feed, streams, holds and erasures use as well."""

    def __init__(
        self,
        url: str,
        password: Callable[[], str] | None = None,
        *,
        with_commitments: bool = True,
        revocation_list: RevocationList | None = None,
    ) -> None:
        """Remember `url`; see `open_engine` for it and the other arguments, and `SqlClientStore` for the list."""
        self._url = url
        self._revocation_list = revocation_list
        self._with_commitments = with_commitments
        self._password = password
        self._opened = ExitStack()

    @cached_property
    def engine(self) -> "Engine":
        """The engine, for operations on the database as a whole.

        Raises:
            InvalidSettingsError: not the URL of a supported database, or its driver is not installed.
        """
        from core.stores.engine import open_engine  # noqa: PLC0415 - at first use

        engine = open_engine(self._url, self._password, with_commitments=self._with_commitments)
        self._opened.callback(engine.dispose)
        return engine

    @cached_property
    def events(self) -> "EventStore":
        """Writes and reads events."""
        from core.stores.sql import SqlEventStore  # noqa: PLC0415 - at first use

        store = SqlEventStore(self.engine)
        self._opened.callback(store.close)
        return store

    @cached_property
    def summaries(self) -> "EventSummaries":
        """Summarizes events."""
        from core.stores.summaries import SqlEventSummaries  # noqa: PLC0415 - at first use

        return SqlEventSummaries(self.engine)

    @cached_property
    def clients(self) -> "ClientStore":
        """Looks up and changes API clients."""
        from core.stores.clients import SqlClientStore  # noqa: PLC0415 - at first use

        return SqlClientStore(self.engine, self._revocation_list)

    @cached_property
    def sessions(self) -> "SessionStore":
        """Keeps the sessions of people."""
        from core.stores.sessions import SqlSessionStore  # noqa: PLC0415 - at first use

        return SqlSessionStore(self.engine)

    @cached_property
    def ledger(self) -> "EventOrder":
        """Gives stored events their indices."""
        from core.stores.ledger.integration import Ledger  # noqa: PLC0415 - at first use
        from core.stores.ledger.stored_tree import StoredTree  # noqa: PLC0415

        return Ledger(self.engine, StoredTree() if self._with_commitments else None)

    @cached_property
    def proofs(self) -> "LedgerProofs":
        """Makes proofs of stored events."""
        from core.stores.ledger.proofs import SqlProofs  # noqa: PLC0415 - at first use

        return SqlProofs(self.engine)

    @cached_property
    def feed(self) -> "FeedReader":
        """Reads events in the order of their indices."""
        from core.stores.feed import SqlFeed  # noqa: PLC0415 - at first use

        return SqlFeed(self.engine)

    @cached_property
    def eraser(self) -> "Eraser":
        """Erases stored events."""
        from core.stores.erasing import Eraser  # noqa: PLC0415 - at first use

        return Eraser(self.engine)

    @cached_property
    def streams(self) -> "StreamAdmin":
        """Registers streams."""
        from core.stores.streams import SqlStreams  # noqa: PLC0415 - at first use

        return SqlStreams(self.engine)

    @cached_property
    def stream_leases(self) -> "StreamLeases":
        """Notes the progress of streams, for their senders."""
        from core.stores.stream_leases import SqlStreamLeases  # noqa: PLC0415 - at first use

        return SqlStreamLeases(self.engine)

    @cached_property
    def alert_rules(self) -> "AlertRuleAdmin":
        """Registers alert rules."""
        from core.stores.alert_rules import SqlAlertRules  # noqa: PLC0415 - at first use

        return SqlAlertRules(self.engine)

    @cached_property
    def alert_memory(self) -> "AlertMemory":
        """Notes what alert rules remember, for their evaluation."""
        from core.stores.alert_memory import SqlAlertMemory  # noqa: PLC0415 - at first use

        return SqlAlertMemory(self.engine)

    @cached_property
    def event_counters(self) -> "EventCounters":
        """Counts of accepted, stored and repeated events by minute."""
        from core.stores.event_counters import SqlEventCounters  # noqa: PLC0415 - at first use

        return SqlEventCounters(self.engine)

    @cached_property
    def retention(self) -> "Retention":
        """Keeps the retention rules, and deletes events by them."""
        from core.stores.sql_retention import SqlRetention  # noqa: PLC0415 - at first use

        return SqlRetention(self.engine)

    def record(self, event: "Event") -> None:
        """Store an audit event of the service itself.

        Raises:
            StoreUnavailableError: nothing was changed; trying again later helps.
        """
        from core.stores.connections import open_connection  # noqa: PLC0415 - at first use
        from core.stores.dialects import dialect_of  # noqa: PLC0415
        from core.stores.own_events import insert_own_event  # noqa: PLC0415

        with open_connection(self.engine) as connection:
            insert_own_event(connection, dialect_of(self.engine), event)
            connection.commit()

    def rows_received(self, window: "Window") -> int:
        """Count the stored events that were received in `window`.

        Raises:
            StoreUnavailableError: trying again later helps.
        """
        from core.stores.reconciliation import rows_received  # noqa: PLC0415 - at first use

        return rows_received(self.engine, window)

    def migrate(self) -> tuple[str | None, str]:
        """Create the database, or bring it to the current schema; return the revisions before and after.

        Raises:
            StoreUnavailableError: the database cannot be opened or written.
            InvalidSettingsError: it was made by a newer version of this service, or cannot be used.
        """
        from core.stores.migrations.upgrade import migrate  # noqa: PLC0415 - at first use

        return migrate(self.engine)

    def check_revision(self) -> dict[str, object]:
        """Implement `Check`: the schema is current.

        Raises:
            StoreUnavailableError: it is not, or the database is unreachable.
        """
        from core.stores.migrations.revision import check_revision  # noqa: PLC0415 - at first use

        return check_revision(self.engine)

    def close(self) -> None:
        """Close all connections."""
        self._opened.close()
