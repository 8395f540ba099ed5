"""Migrates a database to the newest schema, with Alembic."""

import logging
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError

from core.errors import InvalidSettingsError, StoreUnavailableError
from core.stores.dialects import dialect_of
from core.stores.migrations.revision import of_newer_version

_SCRIPTS: Final = Path(__file__).parent


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Apply all missing revisions; return the revision before and after. Safe to run in several processes at once.

    Raises:
        StoreUnavailableError: the database cannot be opened or written, or the file is not a database.
        InvalidSettingsError: the database was made by a newer version of this service.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # the caller logs one line
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head() or ""
    dialect = dialect_of(engine)
    try:
        dialect.create_database(engine.url)
    except OSError as exc:
        raise _unusable(exc.strerror) from exc
    try:
        # A second process waits here, and then finds the revisions applied.
        with engine.connect() as connection, dialect.migration_transaction(connection):
            before = MigrationContext.configure(connection).get_current_revision()
            if before not in {None, *(script.revision for script in scripts.walk_revisions())}:
                raise InvalidSettingsError(of_newer_version(str(before)))
            if before != newest:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except (ArgumentError, TypeError, ValueError, OSError) as exc:  # raised by the driver before it connects
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL has a parameter that the database driver rejects ({type(exc).__name__}): "
            "check the names and values after the question mark, and the files that they name."
        ) from None
    except DBAPIError as exc:
        raise _unusable(exc.orig) from exc
    return before, newest


def _unusable(reason: object) -> StoreUnavailableError:
    text = " ".join(str(reason).split())  # a driver may write several lines
    return StoreUnavailableError(
        f"The database cannot be opened or written ({text}): check AUDIT_LOG_DATABASE_URL, AUDIT_LOG_DATA_DIR, free "
        "disk space and permissions."
    )
