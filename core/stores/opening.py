"""Choice of the event store: the database that the settings name."""

from typing import Final

from core.errors import InvalidSettingsError
from core.settings import Settings
from core.stores.database import Database

_MONGODB: Final = "mongodb://"
_MONGODB_BY_DNS: Final = "mongodb+srv://"


def database_for(settings: Settings) -> Database:
    """Return the database of the settings, which connects at its first use.

    Raises:
        InvalidSettingsError: MongoDB with a ledger, with an address that it cannot use, or without its driver.
    """
    if settings.store_url.startswith(_MONGODB_BY_DNS):
        raise InvalidSettingsError(
            "AUDIT_LOG_DATABASE_URL: mongodb+srv:// is the address of a replica set or of a sharded cluster, and this "
            "version stores events in a standalone MongoDB only: use mongodb://user@host/audit_log."
        )
    if not settings.store_url.startswith(_MONGODB):
        return Database(settings.store_url, with_commitments=settings.has_ledger)
    if settings.has_ledger:
        raise InvalidSettingsError(
            "AUDIT_LOG_LEDGER=on does not work with MongoDB: an event and its commitment to the ledger have to be "
            "stored in one transaction, and this service uses none there, on a replica set either. Set "
            "AUDIT_LOG_LEDGER=off to store events without proofs, or use PostgreSQL, MySQL, MariaDB or SQLite."
        )
    try:
        from core.stores.mongodb.database import MongoDatabase  # noqa: PLC0415 - few need it, and its driver
    except ImportError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATABASE_URL: {exc.name} is not installed: pip install 'audit-log-service[mongodb]'"
        ) from None
    return MongoDatabase(settings.store_url)
