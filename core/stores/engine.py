"""Database engines, each set up so that a commit that returned is on disk and a dead server holds up no one."""

from collections.abc import Callable
from typing import Final

import orjson
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from core.errors import InvalidSettingsError
from core.stores.dialects import StoreDialect, dialect_named
from core.stores.json_text import to_json

_EXAMPLES: Final = "sqlite:////var/lib/audit-log/audit-log.db or postgresql://user@host/audit_log"
# As many connections as threads of one process ask at once; a connection is not older than a network's patience.
_POOL: Final = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 5, "pool_timeout": 10, "pool_recycle": 1800}


def open_engine(url: str, password: Callable[[], str] | None = None) -> Engine:
    """An engine for the database at `url` (SQLAlchemy's form); connects at first use.

    `sqlite://`, `postgresql://` (also `postgres://`), `mysql://` and `mariadb://` are known; the query of the URL goes
    to the driver, and so takes certificates: see the modules in `core.stores.dialects`. `password`, where it is given,
    makes the password of each connection, in the place of the one in the URL.

    Raises:
        InvalidSettingsError: not a database URL, one of a database that is not known, or its driver is not installed.
    """
    dialect, given = _read(url)
    try:
        # hide_parameters: an error goes to the log, and what an event holds must not go with it.
        engine = create_engine(
            given,
            json_serializer=to_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,
            **(_POOL | dict(dialect.options(given)) if dialect.EXTRA else {}),
        )
    except ImportError:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL: the driver is not installed; pip install 'audit-log-service[{dialect.EXTRA}]'"
        ) from None
    if password is not None:
        # SQLAlchemy hands over the parameters of a connection before it is made, to be changed.
        event.listen(engine, "do_connect", lambda _d, _r, _a, parameters: parameters.update(password=password()))
    event.listen(engine, "connect", lambda connection, _record: dialect.set_up(connection))
    return engine


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
