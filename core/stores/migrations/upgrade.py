"""Bring a database to the current schema, by Alembic."""

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

_SCRIPTS: Final = Path(__file__).parent


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Apply what is missing; the revision before and after. Several processes may do it at once.

    Raises:
        StoreUnavailableError: the database cannot be opened or written, or is none.
        InvalidSettingsError: the database was made by a newer version of this service.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # the caller says what was done, in one line
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head() or ""
    try:
        # Who comes second waits here and finds it done.
        with engine.connect() as connection, dialect_of(engine).migrating(connection):
            before = MigrationContext.configure(connection).get_current_revision()
            if before not in {None, *(script.revision for script in scripts.walk_revisions())}:
                raise InvalidSettingsError(
                    "The database was made by a newer version of this service: run that version, or another database."
                )
            if before != newest:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except (ArgumentError, TypeError, ValueError, OSError) as exc:  # of the driver, before it has connected
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL has a parameter that the database's driver does not take ({type(exc).__name__}): "
            "check names and values behind the question mark, and the files they name."
        ) from None
    except DBAPIError as exc:
        raise StoreUnavailableError(
            f"The database cannot be opened or written ({exc.orig}): check AUDIT_LOG_DATABASE_URL, "
            "AUDIT_LOG_DATA_DIR, free disk space and permissions."
        ) from exc
    return before, newest
