"""Database dialects: one module for each kind of database, behind `StoreDialect`. `core.stores.sql` has the rest."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Final, Literal, Protocol

from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Select, true

from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, Position


class IdTakenError(Exception):
    """An id to be inserted exists already. Roll back the transaction, look up which, and insert the others."""


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """Instructions for reading the events of a filter where the database's own plan would be slow."""

    page_hint: str = ""
    """Index hint for a page, in the syntax of the database, placed after the table name."""
    count_hint: str = ""
    """Index hint for a count."""
    condition: ColumnElement[bool] = field(default_factory=true)
    """Condition that holds for every event of the filter and is more selective than the filter."""
    matching: int | None = None
    """Number of matching events, if it is known without a count."""
    count_with_page: bool = False
    """Whether one statement reads a page and counts the matches: where a round trip costs more than counting few."""
    combinations: FromClause | None = None
    """All combinations of the filter's customers and types, as a table with these columns; each gets an index scan."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Time limits of a read, in seconds. They do not apply to writers, migrations and maintenance."""

    statement: float = 10.0
    """Duration of a statement, enforced by the server. A read that has taken this long starts no further statement."""
    lock: float = 3.0
    """Waiting for a lock that another connection holds."""
    silence: float = 12.0
    """Waiting for a server that may be stopped or cut off: longer than a server takes to report a statement timeout."""


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Result of removing erased content from the files of a database."""

    left: str | None = None
    """What could not be reached, for people."""
    done: bool = True
    """Whether another call would achieve nothing more."""


TimeLimit = Literal["statement", "lock"]


class StoreDialect(Protocol):
    """Connects to one kind of database, builds its queries and interprets its errors."""

    DRIVER: str
    """SQLAlchemy's name of the database and its driver."""
    EXTRA: str | None
    """Extra of this package that installs the driver; None for a driver that is part of Python."""

    def options(self, url: URL) -> Mapping[str, Any]:
        """Return arguments for `create_engine`. Parameters of the URL take precedence."""

    def create_database(self, url: URL) -> None:
        """Create the database at `url`, if that is possible without a server and it does not exist.

        Raises:
            OSError: it cannot be created.
        """

    def set_up_engine(self, engine: Engine) -> None:
        """Prepare an engine before its first connection. Without `create_database`, connections create nothing."""

    def on_connect(self, connection: Any) -> None:
        """Set up a new connection of the driver."""

    def check_connection(self, connection: Connection) -> None:
        """Check after its use that a connection leads to the database at the address of its engine.

        Raises:
            StoreUnavailableError: it does not, and committed changes may not be in the database.
        """

    def set_up_writes(self, engine: Engine) -> None:
        """Prepare the engine that writes."""

    def limit_reads(self, engine: Engine, limits: ReadLimits) -> None:
        """Apply the limits to all connections of an engine that is used for reads only."""

    def exceeded_limit(self, error: BaseException) -> TimeLimit | None:
        """Return the time limit whose excess the driver's error reports."""

    def insert(
        self, connection: Connection, rows: Sequence[Event], batch: int, salts: Sequence[bytes] | None = None
    ) -> None:
        """Insert all of `rows`, whose ids are distinct, in this order, as the batch of this number.

        `salts` has those of each row. Called by `core.stores.sealing` only.

        Raises:
            IdTakenError: an id exists already.
        """

    def begin_erasing(self, connection: Connection) -> None:
        """Begin a transaction that reads and erases rows, where their locks would not suffice."""

    def replace_terms(self, connection: Connection, before: Sequence[Event], after: Sequence[Event]) -> None:
        """Replace what a separate index has of events, in the transaction that changes them."""

    def scrub(self, engine: Engine, seconds: float | None) -> Scrubbed:
        """Remove erased content from the files of the database, for about as long; None: until it is done.

        Another call continues.
        """

    def begin_write(self, connection: Connection) -> None:
        """Begin a transaction that reads before it writes, so that it is not refused when it begins to write."""

    def keep_holds(self, connection: Connection) -> None:
        """Let no legal hold be placed before the end of this transaction, which reads them next.

        Several transactions may do so at once. One that places a hold is finished before, or waits.
        """

    def change_holds(self, connection: Connection) -> None:
        """Wait for the transactions that keep the holds as they are, before one is placed."""

    def delete(self, connection: Connection, rows: Sequence[Event]) -> None:
        """Delete stored events, their ids and their terms."""

    def select_by_ids(self, event_ids: Sequence[str]) -> Select[Any]:
        """Return a query for the events with these ids."""

    def indexes(self, data_filter: DataFilter) -> bool:
        """Return whether an index finds the events that have one of the filter's values at its path."""

    def json_equals(self, column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
        """Return the condition that `column` has one of the filter's values at its path, equal in value and type.

        A path with a step to any element needs a dialect that `indexes` it.
        """

    def keyset_condition(self, place: Position, *, descending: bool) -> ColumnElement[bool]:
        """Return the condition that an event follows `place` in this order, in a form that the database can index."""

    def plan_access(self, connection: Connection, event_filter: EventFilter, enough: int) -> AccessPlan:
        """Plan how to read the events of the filter. Numbers of matches above `enough` need not be distinguished."""

    def migration_transaction(self, connection: Connection) -> AbstractContextManager[None]:
        """Open a transaction that only one process at a time can be in; commit it unless an exception is raised."""

    def is_duplicate_key(self, error: BaseException | None) -> bool:
        """Whether the driver's error reports that a unique key exists already."""

    def is_data_error(self, error: BaseException) -> bool:
        """Whether the driver's error is caused by the values to be stored, so that trying again is useless."""

    def redacted(self, error: BaseException) -> BaseException:
        """Return the driver's error, or an equivalent that quotes no stored values, for the log."""


_MODULES: Final = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"} | dict.fromkeys(
    ("mysql", "mariadb"), "mysql"
)


@cache
def dialect_named(name: str) -> StoreDialect | None:
    """Return the dialect for the scheme of a URL, if it is known. Imports its module, but not its driver."""
    module = _MODULES.get(name)
    if module is None:
        return None
    dialect: StoreDialect = import_module(f"{__name__}.{module}").DIALECT
    return dialect


def dialect_of(engine: Engine) -> StoreDialect:
    """Return the dialect of an engine made by `open_engine`."""
    dialect = dialect_named(engine.dialect.name)
    if dialect is None:
        raise LookupError(engine.dialect.name)
    return dialect
