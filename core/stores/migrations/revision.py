"""Whether the database has the schema that this version of the code was written for."""

from typing import Final

from sqlalchemy import Engine, column, select, table

from core.errors import StoreUnavailableError
from core.stores.engine import reading

NEWEST: Final = "0004"
"""The last of the migrations. Told here once more so that a process that only looks need not load Alembic."""

_ALEMBICS: Final = table("alembic_version", column("version_num"))


def check_revision(engine: Engine) -> dict[str, object]:
    """Implements `Check`: the database is at the newest revision.

    Raises:
        StoreUnavailableError: it is at another, or cannot be reached.
    """
    with reading(engine) as connection:
        revision = connection.execute(select(_ALEMBICS)).scalar()
    if revision != NEWEST:
        raise StoreUnavailableError(
            f"The database is at revision {revision or 'none'} and this version of the service is for {NEWEST}: run "
            "`audit-log migrate` of the newest version, and that version everywhere."
        )
    return {"revision": NEWEST}
