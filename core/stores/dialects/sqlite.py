"""Dialect of SQLite, with Python's sqlite3, which must have been built with FTS5: docs/decisions/0015."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, repeat
from typing import Any, Final

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    and_,
    event,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import IntegrityError

from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, JsonScalar
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.errors import EventNotStorableError
from core.stores.column_types import unix_milliseconds
from core.stores.dialects import (
    AccessPlan,
    IdTakenError,
    ReadLimits,
    StoreDialect,
    TimeLimit,
    common,
    sqlite_erasing,
    sqlite_file,
    sqlite_wal,
)
from core.stores.dialects.sqlite_terms import index_terms, match_expression, needs_recheck
from core.stores.json_text import to_json
from core.stores.schema import EVENT_COLUMNS, events

_PRAGMAS: Final = (
    "PRAGMA synchronous=FULL",  # commits are durable
    f"PRAGMA busy_timeout={sqlite_wal.BUSY_SECONDS * 1000:.0f}",
    "PRAGMA cache_size=-65536",  # KiB; a batch touches pages of all indexes, the default of 2,000 is too small
)
# Steps of SQLite's virtual machine between two checks of the clock, which need the interpreter's lock: about 10 ms.
_STEPS: Final = 100_000
_EXCEEDED: Final[Mapping[int | None, TimeLimit]] = {
    sqlite3.SQLITE_INTERRUPT: "statement",
    sqlite3.SQLITE_BUSY: "lock",
}
_COLUMNS: Final = ", ".join(column.name for column in EVENT_COLUMNS)
_VALUES: Final = ", ".join("?" * (len(EVENT_COLUMNS) + 3))
_INSERT: Final = f"INSERT INTO events ({_COLUMNS}, salts, batch, place) VALUES ({_VALUES})"  # noqa: S608 - names
_LAST_NUMBER: Final = "SELECT last_insert_rowid()"
_DELETE_TERMS: Final = "INSERT INTO event_terms (event_terms, rowid, words) VALUES ('delete', ?, ?)"
_INSERT_TERMS: Final = "INSERT INTO event_terms (rowid, words) SELECT ? + key, value FROM json_each(?)"
_DUPLICATE_KEYS: Final = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_BY_NUMBER: Final = "NOT INDEXED"  # allows the primary key only
_FEW: Final = 1_000
_NUMBERS: Final = "SELECT rowid FROM event_terms WHERE event_terms MATCH :words"
_COUNT_NUMBERS: Final = text(f"SELECT count(*) FROM ({_NUMBERS} LIMIT :most)")  # noqa: S608 - our own words
_NUMBER: Final = literal_column("events.number", Integer)


class _HintingCompiler(SQLiteCompiler):
    def get_from_hint_text(self, table: object, text: str | None) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return text  # SQLAlchemy's compiler drops hints


class HintedDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect with support for INDEXED BY (https://www.sqlite.org/lang_indexedby.html)."""

    statement_compiler = _HintingCompiler
    supports_statement_cache = True


registry.register("sqlite.hinted", __name__, HintedDialect.__name__)


class _SQLite:
    DRIVER = "sqlite+hinted"
    EXTRA: str | None = None
    create_database = staticmethod(sqlite_file.create)
    set_up_engine = staticmethod(sqlite_file.watch)
    set_up_writes = staticmethod(sqlite_wal.truncate_when_large)
    check_connection = staticmethod(sqlite_file.check)
    begin_erasing = staticmethod(sqlite_erasing.begin)
    keep_holds = staticmethod(common.keep_holds)
    change_holds = staticmethod(common.change_holds)
    replace_terms = staticmethod(sqlite_erasing.replace_terms)
    scrub = staticmethod(sqlite_erasing.scrub)
    select_by_ids = staticmethod(common.select_by_ids)
    keyset_condition = staticmethod(common.keyset_condition)

    def begin_write(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def delete(self, connection: Connection, rows: Sequence[Event]) -> None:
        # The full-text index has no content: it has to be given the terms that it has.
        ids = [row.event_id for row in rows]
        found = connection.execute(select(events.c.event_id, _NUMBER).where(events.c.event_id.in_(ids)))
        numbers: dict[str, int] = dict(found.all())
        terms = [(numbers[row.event_id], index_terms(row.customer_id, row.event_type, row.event_data)) for row in rows]
        connection.exec_driver_sql(_DELETE_TERMS, terms)
        common.delete_by_ids(connection, rows)

    def options(self, url: URL) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's signature
        return {}

    def on_connect(self, connection: sqlite3.Connection) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        sqlite_wal.switch_on(connection)

    def limit_reads(self, engine: Engine, limits: ReadLimits) -> None:
        def on_connect(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA busy_timeout={limits.lock * 1000:.0f}")

        def begin(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
            end = time.monotonic() + limits.statement
            connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)

        event.listen(engine, "connect", on_connect)
        event.listen(engine, "checkout", begin)

    def exceeded_limit(self, error: BaseException) -> TimeLimit | None:
        return _EXCEEDED.get(getattr(error, "sqlite_errorcode", None))

    def insert(
        self, connection: Connection, rows: Sequence[Event], batch: int, salts: Sequence[bytes] | None = None
    ) -> None:
        if not all(_is_exact(row) for row in rows):
            raise EventNotStorableError("SQLite would change a value of the event.")
        # Each row gives up the interpreter's lock, which no other thread of the storing process wants. One statement
        # that takes all rows from a JSON array would cost a third more.
        values = [
            (  # in the order of EVENT_COLUMNS
                row.event_id,
                row.event_type,
                row.customer_id,
                row.timestamp_utc,
                to_json(row.event_data),
                unix_milliseconds(row.received_at),
                row.recorded_by,
                salt,
                batch,
                place,
            )
            for place, row, salt in zip(count(), rows, salts or repeat(None), strict=False)
        ]
        # Before the first INSERT locks out other writers.
        terms = to_json([index_terms(row.customer_id, row.event_type, row.event_data) for row in rows])
        try:
            connection.exec_driver_sql(_INSERT, values)
        except IntegrityError as exc:
            if self.is_duplicate_key(exc.orig):
                raise IdTakenError from None
            raise
        # Each row has got the number that follows the last one: the transaction excludes other writers.
        last = connection.exec_driver_sql(_LAST_NUMBER).scalar_one()
        connection.exec_driver_sql(_INSERT_TERMS, (last - len(rows) + 1, terms))

    def indexes(self, data_filter: DataFilter) -> bool:
        return None not in data_filter.path  # a term contains the index of its element

    def json_equals(self, column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
        path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in data_filter.path)
        # Path and value are bound parameters: no input becomes part of the statement.
        return or_(*(_is(column, path, value) for value in data_filter.values))

    def plan_access(self, connection: Connection, event_filter: EventFilter, enough: int) -> AccessPlan:
        # Without statistics SQLite chooses a wrong index for a customer and several types.
        index = f"INDEXED BY {_index(event_filter)}"
        if not event_filter.data or event_filter.customers == ():  # no customer, which has no index term
            return AccessPlan(index, index)
        match = {"words": match_expression(event_filter)}
        found = connection.execute(_COUNT_NUMBERS, match | {"most": enough + 1}).scalar_one()
        any_time = {event_filter.start, event_filter.end, event_filter.received_until} == {None}
        matching = found if any_time and not _needs_recheck(connection, event_filter) else None
        if found > enough:  # a scan in the order of the page soon meets enough of them
            return AccessPlan(index, index, matching=matching)
        # Few matches are read by number and sorted. More are read in order, and the full-text index selects among them.
        page_hint = _BY_NUMBER if found <= _FEW else index
        return AccessPlan(
            page_hint, _BY_NUMBER, _NUMBER.in_(text(_NUMBERS).bindparams(**match).columns(rowid=Integer)), matching
        )

    @contextmanager
    def migration_transaction(self, connection: Connection) -> Iterator[None]:
        # Without an explicit transaction SQLite would commit each schema change separately.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.commit()

    def is_duplicate_key(self, error: BaseException | None) -> bool:
        return getattr(error, "sqlite_errorcode", None) in _DUPLICATE_KEYS

    def is_data_error(self, error: BaseException) -> bool:
        return isinstance(error, sqlite3.DataError | sqlite3.IntegrityError)

    def redacted(self, error: BaseException) -> BaseException:
        return error  # SQLite's messages name columns, not values


DIALECT: Final[StoreDialect] = _SQLite()


def _needs_recheck(connection: Connection, event_filter: EventFilter) -> bool:
    return bool(connection.execute(_COUNT_NUMBERS, {"words": needs_recheck(event_filter), "most": 1}).scalar_one())


def _is_exact(row: Event) -> bool:
    """Whether SQLite's JSON functions preserve the row: they turn larger integers into floats and cut text at NUL."""
    return MIN_INTEGER <= row.customer_id <= MAX_INTEGER and "\0" not in (row.event_type or "") + row.recorded_by


def _index(event_filter: EventFilter) -> str:
    """Return the index whose first columns are those of the filter, followed by the order of a page."""
    customer = "" if event_filter.customers is None else "_customer"
    kind = "_type" if event_filter.event_types else ""
    return f"ix_events{customer}{kind}_time"


def _is(column: ColumnElement[Any], path: str, value: JsonScalar) -> ColumnElement[bool]:
    kind = func.json_type(column, path)
    if value is None or isinstance(value, bool):
        return kind == json.dumps(value)  # SQLite's type names are the JSON literals
    same_type = kind == "text" if isinstance(value, str) else kind.in_(["integer", "real"])
    return and_(same_type, func.json_extract(column, path) == value)
