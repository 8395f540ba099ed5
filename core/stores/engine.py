"""Database engines, each set up so that a commit that returned is on disk and a dead server holds up no one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import EventNotStorableError, InvalidSettingsError, ReadTimeoutError, StoreUnavailableError
from core.stores.dialects import ReadLimits, StoreDialect, TimeLimit, dialect_named, dialect_of
from core.stores.json_text import to_json

_EXAMPLES: Final = "sqlite:////var/lib/audit-log/audit-log.db or postgresql://user@host/audit_log"
# As many connections as threads of one process ask at once; a connection is not older than a network's patience.
_POOL: Final = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 5, "pool_timeout": 10, "pool_recycle": 1800}
# More connections than one process has threads that read, so that they seldom wait for one. The last used goes first,
# since it has pages in its cache.
_READERS: Final = {"pool_size": 8, "max_overflow": 8, "pool_timeout": 2, "pool_use_lifo": True}
_READING: Final = "reading"
_END: Final = "end of the read"
_LIMITS: Final = ReadLimits()


def open_engine(url: str, password: Callable[[], str] | None = None, limits: ReadLimits = _LIMITS) -> Engine:
    """An engine for the database at `url` (SQLAlchemy's form); connects at first use.

    `sqlite://`, `postgresql://` (also `postgres://`), `mysql://` and `mariadb://` are known; the query of the URL goes
    to the driver, and so takes certificates: see the modules in `core.stores.dialects`. `password`, where it is given,
    makes the password of each connection, in the place of the one in the URL.

    The engine has a second one for reads, with connections under `limits`: see `reading_engine`.

    Raises:
        InvalidSettingsError: not a database URL, one of a database that is not known, or its driver is not installed.
    """
    dialect, given = _read(url)
    pool = dict(_POOL) if dialect.EXTRA else {}
    reading = _created(dialect, given, password, pool | _READERS)
    _limit(reading, limits)
    dialect.limit_reads(reading, limits)
    engine = _created(dialect, given, password, {**pool, "execution_options": {_READING: reading}})
    event.listen(engine, "engine_disposed", lambda _engine: reading.dispose())
    return engine


def reading_engine(engine: Engine) -> Engine:
    """The engine for reads of one of `open_engine`, closed together with it.

    A separate pool: reads that hang use up no connection of the consumer, and the limits of reads do not apply to it.
    """
    reading: Engine = engine.get_execution_options()[_READING]
    return reading


def _created(dialect: StoreDialect, url: URL, password: Callable[[], str] | None, options: Mapping[str, Any]) -> Engine:
    try:
        # hide_parameters: an error goes to the log, and what an event holds must not go with it.
        engine = create_engine(
            url,
            json_serializer=to_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
            **{**options, **dialect.options(url)},
        )
    except ImportError:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL: the driver is not installed; pip install 'audit-log-service[{dialect.EXTRA}]'"
        ) from None
    if password is not None:
        # SQLAlchemy hands over the parameters of a connection before it is made, to be changed.
        event.listen(engine, "do_connect", lambda _d, _r, _a, parameters: parameters.update(password=password()))
    event.listen(engine, "connect", lambda connection, _record: dialect.on_connect(connection))
    return engine


def _limit(engine: Engine, limits: ReadLimits) -> None:
    """Begin no statement of a read that has had its time: servers know the limit of a statement, not of several."""

    def begin(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        record.info[_END] = monotonic() + limits.statement

    def go_on(connection: Connection, *_: object) -> None:
        if monotonic() > connection.info[_END]:
            raise TimeoutError

    event.listen(engine, "checkout", begin)
    event.listen(engine, "before_cursor_execute", go_on)


def _read(url: str) -> tuple[StoreDialect, URL]:
    try:
        given = make_url(url)
    except (ArgumentError, ValueError):  # the message may quote the password
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL is not a database URL: use for example {_EXAMPLES}"
        ) from None
    scheme, _, driver = given.drivername.partition("+")
    dialect = dialect_named(scheme)
    if dialect is None:
        raise InvalidSettingsError(f"AUDIT_LOG_DATABASE_URL: {scheme} is not supported; use for example {_EXAMPLES}")
    ours = dialect.DRIVER.partition("+")[2]
    if driver not in {"", ours}:
        raise InvalidSettingsError(f"AUDIT_LOG_DATABASE_URL: leave +{driver} out of the URL, the driver is chosen here")
    return dialect, given.set(drivername=dialect.DRIVER)


_REFUSED = "The event store refuses the event for what it holds."


_UNAVAILABLE = "The event store cannot be used at the moment ({}): try again later."


_EXCEEDED: Final[Mapping[TimeLimit, str]] = {
    "statement": "The event store stopped a read that took too long ({}): ask for a shorter range of time, or for one "
    "customer_id or event_type, which have indexes, or try again later.",
    "lock": "The event store is locked by another connection, and a read does not wait for long ({}): try again later.",
}


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection for one piece of work; what is not committed by its end is rolled back.

    Raises:
        StoreUnavailableError: the database cannot be reached, is locked, full, read-only or broken.
        EventNotStorableError: the database refuses a value.
    """
    dialect = dialect_of(engine)
    driver_errors = (DBAPIError, engine.dialect.loaded_dbapi.Error)  # some statements go to the driver directly
    try:
        with engine.connect() as connection:
            try:
                yield connection
            except driver_errors as exc:
                if not dialect.is_data_error(_driver_error(exc)):
                    # It may lead to a server that became read-only in a failover: the next call opens another.
                    connection.invalidate()
                raise
    except driver_errors as exc:
        error = _driver_error(exc)
        # Some drivers quote values, and what an event holds must not go to the log with the error.
        if dialect.is_data_error(error):
            raise EventNotStorableError(_REFUSED) from dialect.redacted(error)
        raise StoreUnavailableError(_UNAVAILABLE.format(_code(error))) from dialect.redacted(error)
    except PoolTimeoutError as exc:
        raise StoreUnavailableError(_UNAVAILABLE.format("all connections are busy")) from exc
    except (StatementError, OverflowError, UnicodeEncodeError) as exc:
        # A value that cannot be written as UTF-8 or in 64 bits; no database was asked.
        raise EventNotStorableError(_REFUSED) from exc


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for one read, which has to be over within the `ReadLimits` of the engine.

    Raises:
        ReadTimeoutError: it took longer.
        StoreUnavailableError: as `connected`.
    """
    dialect = dialect_of(engine)
    try:
        with connected(reading_engine(engine)) as connection:
            yield connection
    except TimeoutError:
        raise ReadTimeoutError(_EXCEEDED["statement"].format("several statements")) from None
    except StoreUnavailableError as exc:
        if exc.__cause__ is None or (limit := dialect.exceeded(exc.__cause__)) is None:
            raise
        raise ReadTimeoutError(_EXCEEDED[limit].format(_code(exc.__cause__))) from exc.__cause__


def _code(error: BaseException) -> str:
    """What the database calls the trouble. Not its words: they may name hosts and accounts, and anybody reads this."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    if code is None and error.args and isinstance(error.args[0], int):  # MySQL's numbers
        code = error.args[0]
    return str(code or type(error).__name__)


def _driver_error(error: BaseException) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error
