"""Services for commands that work on the data itself, whether or not the service is running."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from core.errors import AuditLogError
from core.settings import Settings
from core.wiring import Services
from local_runner.runtime import offline_services
from local_runner.telemetry import logging_config


class DatabaseNotFoundError(AuditLogError):
    """The event store is a SQLite file that does not exist. Check the two settings that the message names."""


@contextmanager
def existing_store() -> Iterator[Services]:
    """Yield the services that the environment describes, after checking that their event store can be used as it is.

    Nothing is created and nothing is migrated.

    Raises:
        DatabaseNotFoundError: the SQLite file does not exist.
        StoreUnavailableError: the database cannot be reached, or is not at the revision of this version.
    """
    settings = Settings.from_environ()
    require_sqlite_file(settings)
    logging_config.configure(settings.log_format)
    services = offline_services(settings)
    try:
        services.database.check_revision()
        yield services
    finally:
        services.close()


def require_sqlite_file(settings: Settings) -> None:
    """Check that the event store's file exists, where it is one: connecting to SQLite would create it.

    Raises:
        DatabaseNotFoundError: it does not exist.
    """
    path = sqlite_file(settings)
    if path is not None and not path.is_file():
        raise DatabaseNotFoundError(
            f"There is no event store {path.name} in {path.parent.absolute()}: check AUDIT_LOG_DATA_DIR and "
            "AUDIT_LOG_DATABASE_URL; `audit-log serve` creates one."
        )


def sqlite_file(settings: Settings) -> Path | None:
    """The file of the event store; None if it is on a database server or in memory."""
    url = make_url(settings.store_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
