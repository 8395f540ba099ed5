"""Database engines: opens one for a database URL, with a separate connection pool for reads."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import InvalidSettingsError
from core.stores.dialects import ReadLimits, StoreDialect, dialect_named
from core.stores.json_text import to_json

_EXAMPLES: Final = "sqlite:////var/lib/audit-log/audit-log.db or postgresql://user@host/audit_log"
# As many connections as threads of one process use at once. Firewalls drop connections that are idle for long.
_POOL: Final = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 5, "pool_timeout": 10, "pool_recycle": 1800}
# More connections than one process has threads that read, so that they rarely wait. The connection that was used last
# is taken first, because its page cache is warm.
_READ_POOL: Final = {"pool_size": 8, "max_overflow": 8, "pool_timeout": 2, "pool_use_lifo": True}
_READ_ENGINE: Final = "read_engine"
_READ_ENDS_AT: Final = "read_ends_at"
_WITH_COMMITMENTS: Final = "with_commitments"
_LIMITS: Final = ReadLimits()


def open_engine(
    url: str, password: Callable[[], str] | None = None, limits: ReadLimits = _LIMITS, *, with_commitments: bool = True
) -> Engine:
    """Return an engine for the database at `url` (SQLAlchemy's form), which connects at its first use.

    A database that does not exist is created by `core.stores.migrations.upgrade.migrate` only.

    Schemes are `sqlite`, `postgresql` (or `postgres`), `mysql` and `mariadb`. The query of the URL is passed to the
    driver and can name certificates, see the modules in `core.stores.dialects`. `password` returns the password of each
    new connection, instead of the one in the URL. `with_commitments`: events are inserted with commitments for the
    ledger, see `core.stores.sealing`.

    The engine has a second engine for reads, whose connections have `limits`, see `reading_engine`.

    Raises:
        InvalidSettingsError: not a database URL, an unsupported database, or its driver is not installed.
    """
    dialect, address = _parse(url)
    pool = dict(_POOL) if dialect.EXTRA else {}
    read_engine = _create(dialect, address, password, pool | _READ_POOL)
    _limit_duration(read_engine, limits)
    dialect.limit_reads(read_engine, limits)
    engine = _create(
        dialect,
        address,
        password,
        {**pool, "execution_options": {_READ_ENGINE: read_engine, _WITH_COMMITMENTS: with_commitments}},
    )
    dialect.set_up_writes(engine)
    event.listen(engine, "engine_disposed", lambda _engine: read_engine.dispose())
    return engine


def reading_engine(engine: Engine) -> Engine:
    """Return the engine for reads that belongs to an engine of `open_engine` and is disposed together with it.

    Its pool is separate: reads that hang use up no connection of a writer, and read limits do not apply to writes.
    """
    read_engine: Engine = engine.get_execution_options()[_READ_ENGINE]
    return read_engine


def has_commitments(connection: Connection) -> bool:
    """Whether the engine of a connection was opened to insert events with commitments."""
    return bool(connection.get_execution_options().get(_WITH_COMMITMENTS))


def _create(dialect: StoreDialect, url: URL, password: Callable[[], str] | None, options: Mapping[str, Any]) -> Engine:
    try:
        # hide_parameters: errors are logged, and event data must not reach the log.
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
        # SQLAlchemy passes the arguments of a new connection to this event, which may change them.
        event.listen(engine, "do_connect", lambda _d, _r, _a, arguments: arguments.update(password=password()))
    event.listen(engine, "connect", lambda connection, _record: dialect.on_connect(connection))
    dialect.set_up_engine(engine)
    return engine


def _limit_duration(engine: Engine, limits: ReadLimits) -> None:
    """Start no statement of a read that has used up its time: servers limit a statement, not a series of them."""

    def start(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        record.info[_READ_ENDS_AT] = monotonic() + limits.statement

    def check(connection: Connection, *_: object) -> None:
        if monotonic() > connection.info[_READ_ENDS_AT]:
            raise TimeoutError

    event.listen(engine, "checkout", start)
    event.listen(engine, "before_cursor_execute", check)


def _parse(url: str) -> tuple[StoreDialect, URL]:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # the message may quote the password
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL is not a database URL: use for example {_EXAMPLES}"
        ) from None
    scheme, _, driver = address.drivername.partition("+")
    dialect = dialect_named(scheme)
    if dialect is None:
        raise InvalidSettingsError(f"AUDIT_LOG_DATABASE_URL: {scheme} is not supported; use for example {_EXAMPLES}")
    if driver not in {"", dialect.DRIVER.partition("+")[2]}:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL: remove +{driver} from the URL, the service chooses the driver"
        )
    return dialect, address.set(drivername=dialect.DRIVER)
