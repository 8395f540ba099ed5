"""Readiness check: the database has the schema of this version of the code."""

from typing import Final

from sqlalchemy import Engine, column, select, table

from core.errors import StoreUnavailableError
from core.stores.connections import open_read_connection

NEWEST: Final = "0012"
"""Newest revision. Duplicated here so that readiness checks do not import Alembic."""

_VERSION_TABLE: Final = table("alembic_version", column("version_num"))


def check_revision(engine: Engine) -> dict[str, object]:
    """Implements `Check`: the database is at the newest revision.

    Raises:
        StoreUnavailableError: it is at another revision, or unreachable.
    """
    with open_read_connection(engine) as connection:
        revision = connection.execute(select(_VERSION_TABLE)).scalar()
    if revision is not None and revision > NEWEST:
        raise StoreUnavailableError(of_newer_version(revision))
    if revision != NEWEST:
        raise StoreUnavailableError(
            f"The database is at revision {revision or 'none'}, and this version of the service needs {NEWEST}: run "
            "`audit-log migrate` of the newest version, and run that version on every host."
        )
    return {"revision": NEWEST}


def of_newer_version(revision: str) -> str:
    """The message for a database at a revision that this version does not know."""
    return (
        "The database was made by a newer version of this service: run that version, or use the backup from before the "
        f"migration. The database is at revision {revision}, and this version knows those up to {NEWEST}."
    )
