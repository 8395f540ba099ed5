"""Dialect of MariaDB 10.6 or later and MySQL 8.0.17 or later, with PyMySQL. Tested on MariaDB only.

The URL may have `ssl_ca`, `ssl_cert`, `ssl_key` and `ssl_check_hostname`; with `ssl_ca` the server's certificate is
verified. Durability depends on the server: `innodb_flush_log_at_trx_commit` must be 1, its default. JSON is stored as
text, and text is compared by bytes: docs/decisions/0010.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any, Final

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Double,
    Engine,
    LargeBinary,
    String,
    and_,
    cast,
    event,
    func,
    insert,
    literal,
    or_,
)
from sqlalchemy.exc import IntegrityError

from core.domain.models import Event
from core.domain.queries import DataFilter, JsonScalar, Position
from core.domain.strict_json import MAX_INTEGER, MIN_INTEGER
from core.errors import StoreUnavailableError
from core.stores.dialects import IdTakenError, ReadLimits, Scrubbed, StoreDialect, TimeLimit, common
from core.stores.json_text import stored_name, to_json
from core.stores.schema import events

_CONNECT: Final = {
    "charset": "utf8mb4",
    "binary_prefix": True,  # or the server takes bytes for UTF-8 and warns
    "connect_timeout": 5,
    "read_timeout": 30,
    "write_timeout": 30,
}
_SESSION: Final = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",  # values that do not fit raise errors
    "SET SESSION innodb_lock_wait_timeout = 10",
)
_STATEMENT_SECONDS: Final = 25
_LOCK_SECONDS: Final = 25  # both shorter than the read timeout
_LOCK: Final = "CONCAT('audit-log migrate ', MD5(DATABASE()))"  # lock names are global to the server

_DUPLICATE_ENTRY: Final = 1062
_PACKET_TOO_LARGE: Final = 1153
_EXCEEDED: Final[Mapping[object, TimeLimit]] = {
    1205: "lock",
    1969: "statement",
    3024: "statement",
}  # 1969: MariaDB, 3024: MySQL
# Stands for the table of holds, which may have no row to lock: LOCK TABLES would end the transaction.
_ONE_ROW: Final = "SELECT version_num FROM alembic_version"
_NUMBERS: Final = ("INTEGER", "UNSIGNED INTEGER", "DOUBLE", "DECIMAL")


class _MySQL:
    DRIVER = "mysql+pymysql"
    EXTRA: str | None = "mysql"
    create_database = staticmethod(common.create_database)
    begin_write = staticmethod(common.begin_write)
    delete = staticmethod(common.delete_by_ids)
    set_up_engine = staticmethod(common.set_up_engine)
    set_up_writes = staticmethod(common.set_up_writes)
    check_connection = staticmethod(common.check_connection)
    begin_erasing = staticmethod(common.begin_erasing)
    replace_terms = staticmethod(common.replace_terms)
    select_by_ids = staticmethod(common.select_by_ids)
    plan_access = staticmethod(common.plan_access)

    def options(self, url: URL) -> Mapping[str, Any]:
        arguments = {name: value for name, value in _CONNECT.items() if name not in url.query}
        return {"connect_args": arguments, "isolation_level": "READ COMMITTED"}

    def on_connect(self, connection: Any) -> None:
        from core.stores.dialects.pymysql_packets import limit_statements  # noqa: PLC0415 - the driver

        limit_statements(connection)
        with connection.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
            # The server ends a slow statement before the read timeout closes the connection.
            cursor.execute(_statement_limit(connection, _STATEMENT_SECONDS))

    def limit_reads(self, engine: Engine, limits: ReadLimits) -> None:
        def limit_silence(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
            parameters["read_timeout"] = min(float(parameters["read_timeout"]), limits.silence)

        def on_connect(connection: Any, _record: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(_statement_limit(connection, limits.statement))
                for name in ("lock_wait_timeout", "innodb_lock_wait_timeout"):
                    cursor.execute(f"SET SESSION {name} = LEAST(@@{name}, {max(1, round(limits.lock))})")

        event.listen(engine, "do_connect", limit_silence)
        event.listen(engine, "connect", on_connect)

    def exceeded_limit(self, error: BaseException) -> TimeLimit | None:
        return _EXCEEDED.get(_number(error))

    def insert(
        self, connection: Connection, rows: Sequence[Event], batch: int, salts: Sequence[bytes] | None = None
    ) -> None:
        values = [
            {**vars(row), "salts": salt, "batch": batch, "place": place}
            for place, (row, salt) in enumerate(zip(rows, salts or repeat(None), strict=False))
        ]
        try:
            connection.execute(insert(events), values)  # PyMySQL combines rows
        except IntegrityError as exc:
            if self.is_duplicate_key(exc.orig):
                raise IdTakenError from None
            raise

    def keep_holds(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"{_ONE_ROW} LOCK IN SHARE MODE")

    def change_holds(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"{_ONE_ROW} FOR UPDATE")

    def scrub(self, engine: Engine, seconds: float | None) -> Scrubbed:  # noqa: ARG002 - the protocol's signature
        return Scrubbed("the undo and redo log and the binary log of the server, until they are purged")

    def indexes(self, _data_filter: DataFilter) -> bool:
        return False

    def json_equals(self, column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
        path, arrays = "$", []
        for step in data_filter.path:
            if isinstance(step, int):  # [0] of anything but an array would be the value itself
                arrays.append(func.json_type(func.json_extract(column, path)) == "ARRAY")
            path += f"[{step}]" if isinstance(step, int) else f".{to_json(stored_name(str(step)))}"
        found = func.json_extract(column, path)
        return and_(*arrays, or_(*(_is(found, value) for value in data_filter.values)))

    def keyset_condition(self, place: Position, *, descending: bool) -> ColumnElement[bool]:
        # The optimizer uses no index for a row comparison.
        time, event_id = events.c.timestamp_utc, events.c.event_id
        if descending:
            return and_(time <= place.timestamp_utc, or_(time < place.timestamp_utc, event_id < place.event_id))
        return and_(time >= place.timestamp_utc, or_(time > place.timestamp_utc, event_id > place.event_id))

    @contextmanager
    def migration_transaction(self, connection: Connection) -> Iterator[None]:
        # Schema changes commit implicitly, so the lock belongs to the session instead of a transaction.
        if connection.exec_driver_sql(f"SELECT GET_LOCK({_LOCK}, {_LOCK_SECONDS})").scalar() != 1:
            raise StoreUnavailableError("Another process is still migrating the database: try again later.")
        try:
            yield
            connection.commit()
        finally:
            connection.exec_driver_sql(f"SELECT RELEASE_LOCK({_LOCK})")

    def is_duplicate_key(self, error: BaseException | None) -> bool:
        return _number(error) == _DUPLICATE_ENTRY

    def is_data_error(self, error: BaseException) -> bool:
        # Most events of a batch that exceeds a packet fit once they are inserted one by one.
        return type(error).__name__ in {"DataError", "IntegrityError"} or _number(error) == _PACKET_TOO_LARGE

    def redacted(self, error: BaseException) -> BaseException:
        return type(error)(_number(error)) if self.is_data_error(error) else error  # MySQL's messages quote values


DIALECT: Final[StoreDialect] = _MySQL()


def _statement_limit(connection: Any, seconds: float) -> str:
    """Return the statement that sets the server's time limit of statements. MySQL applies it to SELECT only."""
    if "MariaDB" in connection.get_server_info():
        return f"SET SESSION max_statement_time = {seconds}"
    return f"SET SESSION max_execution_time = {seconds * 1000:.0f}"


def _number(error: BaseException | None) -> object:
    return error.args[0] if error is not None and error.args else None


def _is(found: ColumnElement[Any], value: JsonScalar) -> ColumnElement[bool]:
    kind, text = func.json_type(found), func.json_unquote(found)
    if value is None:
        return kind == "NULL"
    if isinstance(value, bool):
        return and_(kind == "BOOLEAN", text == to_json(value))
    if isinstance(value, str):
        return and_(kind == "STRING", _same_text(text, value))
    return and_(kind.in_(_NUMBERS), or_(*_equal_numbers(text, value)))


def _equal_numbers(text: ColumnElement[Any], value: float) -> Iterator[ColumnElement[bool]]:
    """Yield conditions under which a number's text equals `value` exactly, also for integers beyond 2^53."""
    if MIN_INTEGER <= value <= MAX_INTEGER and int(value) == value:
        yield _same_text(text, str(int(value)))
    if float(value) == value:
        yield and_(text.regexp_match("[.e]"), cast(text, Double) == literal(float(value), Double))


def _same_text(text: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """Compare bytes: the collations that MariaDB and MySQL share ignore trailing spaces."""
    return cast(text, LargeBinary) == cast(literal(value, String), LargeBinary)
