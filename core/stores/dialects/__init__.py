"""What differs between the databases, one module each, behind `StoreDialect`; everything else is in `sql.py`."""

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
    """An id that was to be inserted is there already. The transaction has to be rolled back."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to get at the events of a filter, where the database would not choose well by itself."""

    page_hint: str = ""
    """Which index to use for a page, in the words of the database, behind the name of the table."""
    count_hint: str = ""
    """The same for a count."""
    condition: ColumnElement[bool] = field(default_factory=true)
    """What also holds for every event of the filter, and selects more than the rest of it."""
    matching: int | None = None
    """How many events match, if that is known without a count."""
    combinations: FromClause | None = None
    """The customers and types of the filter, each with each, as a table with these columns: one index scan for each."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How long a read may take, in seconds. Writers, migrations and maintenance have no part in these limits."""

    statement: float = 10.0
    """For a statement, at the server; a read that has taken as long begins no further statement."""
    lock: float = 3.0
    """Waiting for a lock that another connection holds."""
    silence: float = 12.0
    """Waiting for a server that may be stopped or cut off: longer than it takes to stop a statement and say so."""


TimeLimit = Literal["statement", "lock"]


class StoreDialect(Protocol):
    """How one kind of database is set up, asked and understood."""

    DRIVER: str
    """The name that SQLAlchemy has for the database and its driver."""
    EXTRA: str | None
    """The extra of this package that installs the driver; None: it comes with Python."""

    def options(self, url: URL) -> Mapping[str, Any]:
        """Arguments for `create_engine`; what the URL itself sets goes before."""

    def on_connect(self, connection: Any) -> None:
        """Prepare a driver's connection that was just opened."""

    def limit_reads(self, engine: Engine, limits: ReadLimits) -> None:
        """Apply the limits to all connections of an engine that nothing else than reads will use."""

    def exceeded(self, error: BaseException) -> TimeLimit | None:
        """The time limit that the driver's error says was exceeded."""

    def insert(self, connection: Connection, rows: Sequence[Event]) -> None:
        """Insert all of `rows`, whose ids differ, in this order, or raise IdTakenError."""

    def by_ids(self, event_ids: Sequence[str]) -> Select[Any]:
        """The events with these ids."""

    def json_equals(self, column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
        """That `column` has one of the filter's values at the filter's path, by value and type: `true` is not 1."""

    def keyset_condition(self, place: Position, *, descending: bool) -> ColumnElement[bool]:
        """That an event comes after `place` in this order, in a form that an index is entered by."""

    def access(self, connection: Connection, event_filter: EventFilter, enough: int) -> Access:
        """How to get at the events of the filter. Where more than `enough` match it does not matter how many."""

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """A transaction that one process at a time is in; it commits when nothing was raised."""

    def is_data_error(self, error: BaseException) -> bool:
        """Whether the driver's error is about what was to be stored, so that trying again is useless."""

    def redacted(self, error: BaseException) -> BaseException:
        """The driver's error, or one like it that quotes nothing of what was to be stored, for the log."""


_MODULES: Final = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"} | dict.fromkeys(
    ("mysql", "mariadb"), "mysql"
)


@cache
def dialect_named(name: str) -> StoreDialect | None:
    """The dialect for the scheme of a URL, if there is one. Its module is imported now, its driver is not."""
    module = _MODULES.get(name)
    if module is None:
        return None
    dialect: StoreDialect = import_module(f"{__name__}.{module}").DIALECT
    return dialect


def dialect_of(engine: Engine) -> StoreDialect:
    """The dialect of the database behind an engine of `open_engine`."""
    dialect = dialect_named(engine.dialect.name)
    if dialect is None:
        raise LookupError(engine.dialect.name)
    return dialect
