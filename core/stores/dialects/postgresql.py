"""Dialect of PostgreSQL 13 or later, with psycopg. Events are partitioned by time: docs/decisions/0009.

The URL may have all parameters of libpq, such as `sslmode`, `sslrootcert`, several hosts and `target_session_attrs`:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import count, repeat
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    MetaData,
    Select,
    Table,
    cast,
    delete,
    event,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH, UUID
from sqlalchemy.exc import DBAPIError

from core.domain.models import Event
from core.domain.queries import DataFilter, EventFilter, Step
from core.stores.column_types import unix_milliseconds
from core.stores.dialects import AccessPlan, IdTakenError, ReadLimits, Scrubbed, StoreDialect, TimeLimit, common
from core.stores.json_text import to_decimal_json, to_json
from core.stores.schema import EVENT_COLUMNS, events

postgresql_metadata: Final = MetaData()

event_ids: Final = Table(
    "event_ids",
    postgresql_metadata,
    Column("event_id", UUID(as_uuid=False), primary_key=True),
    Column("timestamp_utc", BigInteger, nullable=False),
)
"""All stored ids: a unique index of the partitioned table would have to contain the time."""

# Detects a dead server within half a minute: keepalives while waiting, the user timeout while sending.
_CONNECT: Final = {
    "application_name": "audit-log",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# Time limits that the server, the role or the URL sets stay. synchronous_commit is raised, so that commits are durable.
_SESSION: Final = """
SELECT set_config(name, value, false)
FROM (VALUES ('synchronous_commit', 'on', '{off,local}'), ('statement_timeout', '30s', '{0}'),
             ('lock_timeout', '10s', '{0}'), ('idle_in_transaction_session_timeout', '60s', '{0}')
     ) AS wanted (name, value, instead_of)
WHERE current_setting(name) = ANY (instead_of::text[])
"""
# In milliseconds. A shorter limit of the server, the role or the URL stays.
_READS: Final = """
SELECT set_config(name, milliseconds::text, false)
FROM (VALUES ('statement_timeout', %s), ('lock_timeout', %s)) AS wanted (name, milliseconds)
WHERE (SELECT setting::bigint FROM pg_settings WHERE pg_settings.name = wanted.name) NOT BETWEEN 1 AND milliseconds
"""
# A plan for the values of each read. PostgreSQL would sooner or later take a generic plan where its estimate is lower,
# which it is for a customer with more events than most.
_CUSTOM_PLANS: Final = "SET plan_cache_mode = 'force_custom_plan'"
# With sorting off, plans that need a sort get costs so high that the planner would compile them (JIT).
_NEVER_SORT: Final = "SELECT set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
# A generic plan is made once for each connection and statement; a plan for given values takes longer to make than to
# run. Not knowing the values, the planner has to be kept from ways that are slow for frequent values (a sort, a bitmap)
# or for rare ones (a scan of the table).
_GENERIC_PLAN: Final = (
    f"{_NEVER_SORT}, set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true), "
    "set_config('plan_cache_mode', 'force_generic_plan', true)"
)
_IDS: Final = "COPY event_ids (event_id, timestamp_utc) FROM STDIN"
_EVENTS: Final = f"COPY events ({', '.join(column.name for column in EVENT_COLUMNS)}, salts, batch, place) FROM STDIN"

_FREE_SPACE: Final = (
    "the write-ahead log of PostgreSQL and its archive, until they are removed, and free space inside "
    "the pages of its tables, until other rows overwrite it or VACUUM FULL rewrites the partition"
)
_DEAD_ROWS: Final = f"old versions of rows, until autovacuum or `VACUUM events` removes them; {_FREE_SPACE}"

_DATA_ERRORS: Final = {"22", "23", "54"}  # data exceptions, constraint violations, exceeded limits of the server
_UNIQUE_VIOLATION: Final = "23505"
_EXCEEDED: Final[Mapping[str | None, TimeLimit]] = {"57014": "statement", "55P03": "lock"}
_CHECK_VIOLATION: Final = "23514"  # the schema has no CHECK: a partition is missing


class _PostgreSQL:
    DRIVER = "postgresql+psycopg"
    EXTRA: str | None = "postgres"
    create_database = staticmethod(common.create_database)
    begin_write = staticmethod(common.begin_write)
    set_up_engine = staticmethod(common.set_up_engine)
    set_up_writes = staticmethod(common.set_up_writes)
    check_connection = staticmethod(common.check_connection)
    begin_erasing = staticmethod(common.begin_erasing)
    change_holds = staticmethod(common.change_holds)
    replace_terms = staticmethod(common.replace_terms)
    keyset_condition = staticmethod(common.keyset_condition)

    def options(self, url: URL) -> Mapping[str, Any]:
        return {"connect_args": {name: value for name, value in _CONNECT.items() if name not in url.query}}

    def on_connect(self, connection: Any) -> None:
        connection.execute(_SESSION)
        connection.commit()

    def limit_reads(self, engine: Engine, limits: ReadLimits) -> None:
        def connect(_dialect: object, _record: object, arguments: Sequence[Any], parameters: Mapping[str, Any]) -> Any:
            from core.stores.dialects.psycopg_silence import connect as connect_briefly  # noqa: PLC0415 - the driver

            return connect_briefly(limits.silence, *arguments, **parameters)

        def on_connect(connection: Any, _record: object) -> None:
            connection.execute(_READS, (round(limits.statement * 1000), round(limits.lock * 1000)))
            connection.execute(_CUSTOM_PLANS)
            connection.commit()

        event.listen(engine, "do_connect", connect)
        event.listen(engine, "connect", on_connect)

    def exceeded_limit(self, error: BaseException) -> TimeLimit | None:
        return _EXCEEDED.get(_state(error))

    def insert(
        self, connection: Connection, rows: Sequence[Event], batch: int, salts: Sequence[bytes] | None = None
    ) -> None:
        if not connection.in_transaction():
            connection.begin()
        driver = connection.connection.driver_connection
        places = zip(rows, salts or repeat(None), count(), strict=False)
        try:
            # Ids first: a concurrent writer of the same ids waits here, before it has written anything large.
            _copy(driver, _IDS, ((row.event_id, row.timestamp_utc) for row in rows))
            _copy(driver, _EVENTS, (_row(row, salt, batch, place) for row, salt, place in places))
        except Exception as exc:
            if self.is_duplicate_key(exc):
                raise IdTakenError from None
            raise

    def keep_holds(self, connection: Connection) -> None:
        connection.exec_driver_sql("LOCK TABLE holds IN SHARE MODE")

    def scrub(self, engine: Engine, seconds: float | None) -> Scrubbed:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"SET statement_timeout = {round((seconds or 0) * 1000)}")
            try:
                connection.exec_driver_sql("VACUUM events")
            except DBAPIError as exc:
                if seconds is None or exc.orig is None or self.exceeded_limit(exc.orig) is None:
                    raise
                left = _DEAD_ROWS  # a later call would take as long: the server does it by itself
            else:
                left = _FREE_SPACE
            connection.invalidate()  # so that no other use of it has this setting
        return Scrubbed(left)

    def delete(self, connection: Connection, rows: Sequence[Event]) -> None:
        ids, times = [row.event_id for row in rows], [row.timestamp_utc for row in rows]
        of_rows = (events.c.event_id.in_(ids), events.c.timestamp_utc.between(min(times), max(times)))
        connection.execute(delete(event_ids).where(event_ids.c.event_id.in_(ids)))
        connection.execute(delete(events).where(*of_rows))  # the times choose the partitions

    def select_by_ids(self, wanted: Sequence[str]) -> Select[Any]:
        same_key = (events.c.event_id == event_ids.c.event_id) & (events.c.timestamp_utc == event_ids.c.timestamp_utc)
        return select(*EVENT_COLUMNS).join(event_ids, same_key).where(event_ids.c.event_id.in_(wanted))

    def indexes(self, _data_filter: DataFilter) -> bool:
        return True

    def json_equals(self, column: ColumnElement[Any], data_filter: DataFilter) -> ColumnElement[bool]:
        equals = " || ".join(f"@ == {to_decimal_json(value)}" for value in data_filter.values)
        # The path is a bound parameter.
        return column.bool_op("@?")(cast(f"strict ${_jsonpath(data_filter.path, equals)}", JSONPATH))

    def plan_access(self, connection: Connection, event_filter: EventFilter, enough: int) -> AccessPlan:  # noqa: ARG002 - the protocol's signature
        # With a filter on event_data the planner chooses between its index and the others, and must be able to sort.
        if event_filter.customers == () or event_filter.data:  # no customer, as opposed to None: all customers
            return AccessPlan()
        wanted = {events.c.customer_id: event_filter.customers or (), events.c.event_type: event_filter.event_types}
        if all(len(values) <= 1 for values in wanted.values()):
            # One index has all equal columns and then the order, whatever the values.
            connection.exec_driver_sql(_GENERIC_PLAN)
            return AccessPlan(count_with_page=True)
        # For several values the planner would read all events in order of time and discard those that do not match. For
        # a value without statistics it expects few events and would sort them.
        connection.exec_driver_sql(_NEVER_SORT)
        lists = [_value_table(column, values) for column, values in wanted.items() if values]
        product = reduce(lambda left, right: left.join(right, true()), lists)
        columns = [column for table in lists for column in table.c]
        combinations = select(*columns).select_from(product).subquery("wanted")
        return AccessPlan(combinations=combinations, count_with_page=True)

    @contextmanager
    def migration_transaction(self, connection: Connection) -> Iterator[None]:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('audit-log migrate'))")
        yield
        connection.commit()

    def is_duplicate_key(self, error: BaseException | None) -> bool:
        return _state(error) == _UNIQUE_VIOLATION

    def is_data_error(self, error: BaseException) -> bool:
        state = _state(error)
        if state is None:  # raised by psycopg itself, for example for NUL in a text
            return type(error).__name__ == "DataError"
        return state[:2] in _DATA_ERRORS and state != _CHECK_VIOLATION

    def redacted(self, error: BaseException) -> BaseException:
        state = _state(error)
        if state is None:
            return error
        # Detail and context quote rows; the primary message of a data error quotes values.
        return type(error)(state if self.is_data_error(error) else error.diag.message_primary)  # type: ignore[attr-defined]  # psycopg's


DIALECT: Final[StoreDialect] = _PostgreSQL()


def _jsonpath(path: Sequence[Step], condition: str) -> str:
    """Return a path to the values that fulfil a condition, for strict mode, since lax paths also search arrays.

    In strict mode a place that is missing makes the whole path fail, but inside a filter only the filter: what follows
    a step to any element is therefore a filter, so that an element without such a place does not hide the others. The
    GIN index (jsonb_path_ops) finds the values of either form.
    """
    steps = ""
    for number, step in enumerate(path):
        if step is None:
            rest = path[number + 1 :]
            return f"{steps}[*] ? ({f'exists(@{_jsonpath(rest, condition)})' if rest else condition})"
        steps += f"[{step}]" if isinstance(step, int) else f".{to_json(step)}"
    return f"{steps} ? ({condition})"


def _value_table(column: Column[Any], values: Sequence[Any]) -> FromClause:
    """Return a table of the values with one column, which has the name of `column`."""
    # Each once: a customer that a token lists twice would have each of its events twice.
    rows = func.unnest(literal(list(dict.fromkeys(values)), ARRAY(column.type)))
    return rows.table_valued(column.name, name=f"wanted_{column.name}").render_derived()


def _state(error: BaseException | None) -> str | None:
    state: str | None = getattr(error, "sqlstate", None)
    return state


def _copy(driver: Any, statement: str, rows: Iterator[tuple[object, ...]]) -> None:
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _row(item: Event, salts: bytes | None, batch: int, place: int) -> tuple[object, ...]:
    """Return the values in the order of `_EVENTS`."""
    return (
        item.event_id,
        item.event_type,
        item.customer_id,
        item.timestamp_utc,
        to_decimal_json(item.event_data),
        unix_milliseconds(item.received_at),
        item.recorded_by,
        salts,
        batch,
        place,
    )
