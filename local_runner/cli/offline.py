"""Services for commands that work on the data itself, whether or not the service is running.

They take the data as it is: no directory, database or secret is created, and no database is migrated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from sqlalchemy.engine import make_url

from core.errors import AuditLogError
from core.settings import Settings
from core.wiring import Services
from local_runner.bootstrap import SECRET_FILE_NAME, load_or_create_secret, load_secrets_key
from local_runner.queue.dead_letters import FILE_NAME
from local_runner.runtime import offline_services
from local_runner.telemetry import logging_config


class DataNotFoundError(AuditLogError):
    """The data of a service is not where the settings say. Check the settings that the message names."""


@contextmanager
def existing_store(*, with_secrets: bool = False) -> Iterator[Services]:
    """Yield the services of the environment, after checking that their event store exists and fits this version.

    Args:
        with_secrets: Whether secrets of streams are encrypted or decrypted, by the key in the data directory.

    Raises:
        InvalidSettingsError: that key cannot be read.
        DataNotFoundError: the event store's file does not exist.
        StoreUnavailableError: the database cannot be reached, or is not at the revision of this version.
    """
    settings = Settings.from_environ()
    require_store_file(settings)
    with _services(load_secrets_key(settings) if with_secrets else settings) as services:
        services.database.check_revision()
        yield services


@contextmanager
def existing_queue(*, with_store: bool) -> Iterator[Services]:
    """Yield the services of the environment for its queue and dead letters, which can be read while the store is down.

    Args:
        with_store: Whether events are read or written as well.

    Raises:
        DataNotFoundError: the data directory has no service's data, or lacks the event store's file if that is needed.
    """
    settings = Settings.from_environ()
    if settings.queue_in_process and not settings.data_dir.is_dir():
        raise DataNotFoundError(f"There is no directory {settings.data_dir.absolute()}: check AUDIT_LOG_DATA_DIR.")
    # A file of dead letters can be read while the event store is lost.
    if with_store or (settings.queue_in_process and not (settings.data_dir / FILE_NAME).is_file()):
        require_store_file(settings)
    with _services(settings) as services:
        yield services


def require_store_file(settings: Settings) -> None:
    """Check that the event store's file exists, where it is one: a connection to SQLite would create it.

    Raises:
        DataNotFoundError: it does not exist.
    """
    path = store_file(settings)
    if path is not None and not path.is_file():
        raise DataNotFoundError(
            f"There is no event store {path.name} in {path.parent.absolute()}: check AUDIT_LOG_DATA_DIR and "
            "AUDIT_LOG_DATABASE_URL; `audit-log serve` or `audit-log migrate` creates one."
        )


def store_file(settings: Settings) -> Path | None:
    """The file of the event store; None if it is on a database server or in memory."""
    url = make_url(settings.store_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def store_name(settings: Settings) -> str:
    """The path of the event store's file, or its URL without the password."""
    path = store_file(settings)
    return str(path.absolute()) if path else make_url(settings.store_url).render_as_string(hide_password=True)


def settings_with_secret() -> Settings:
    """Return the settings of the environment with the signing secret of the service.

    Raises:
        DataNotFoundError: no secret is configured, and there is none in the data directory.
    """
    settings = Settings.from_environ()
    is_configured = settings.jwt_secret is not None or settings.jwt_key_file is not None
    if not is_configured and not (settings.data_dir / SECRET_FILE_NAME).exists():
        raise DataNotFoundError(
            f"There is no signing secret {SECRET_FILE_NAME} in {settings.data_dir.absolute()}: check "
            "AUDIT_LOG_DATA_DIR; `audit-log serve` creates one."
        )
    if not is_configured:
        name_default_directory()
    return load_or_create_secret(settings)


def name_default_directory() -> None:
    """Name the data directory on standard error if none is set: it depends on where the command is called."""
    settings = Settings.from_environ()
    if "data_dir" not in settings.model_fields_set and settings.database_url is None:
        typer.echo(f"The data directory is {settings.data_dir.absolute()}.", err=True)


@contextmanager
def _services(settings: Settings) -> Iterator[Services]:
    logging_config.configure(settings.log_format)
    services = offline_services(settings)
    try:
        yield services
    finally:
        services.close()
