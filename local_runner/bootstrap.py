"""Start-up: completes the settings, creates data directory and secrets, and brings the schema up to date."""

import contextlib
import logging
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from core.auth.keys import key_ring
from core.errors import AuditLogError, InvalidSettingsError, StoreUnavailableError
from core.queues.brokers import broker
from core.settings import Settings
from core.settings.values import MIN_SECRET_BYTES
from core.stores.catalogue_record import record_catalogue as record_digest
from core.stores.database import Database
from core.stores.opening import database_for
from core.wiring import Services
from local_runner.spool.recovery import count_pending
from local_runner.spool.spool import SPOOL_NAME

SECRET_FILE_NAME: Final = "jwt-secret"  # noqa: S105 - the name of a file
SECRETS_KEY_FILE_NAME: Final = "secrets-key"

_log = logging.getLogger(__name__)


def prepare(settings: Settings) -> Settings:
    """Create the data directory and the secrets in it where they are missing; return the settings with the secrets.

    Raises:
        InvalidSettingsError: there is no adapter for the broker, hosts would sign with different keys, or the data
            directory cannot be used.
    """
    if settings.queue_in_process:
        if settings.spool != "off":
            make_data_dir(settings)
    else:
        broker(settings)
        _require_shared_keys(settings)
    if settings.spool == "off" or not settings.queue_in_process:
        _warn_of_orphaned_spool(settings)
    settings = load_or_create_secret(settings)
    if settings.queue_in_process and settings.spool != "off" and settings.secrets_key is None:
        settings = settings.model_copy(update={"secrets_key": _load_or_create(settings, SECRETS_KEY_FILE_NAME)})
    key_ring(settings)  # an unusable key file must stop the start before the database is changed
    return settings


def open_database(settings: Settings) -> Database:
    """Open the database and bring its schema up to date.

    Raises:
        InvalidSettingsError: the settings do not describe a usable database or data directory.
        StoreUnavailableError: the database cannot be opened or written.
    """
    database, before, after = _open_and_migrate(settings)
    if before != after:
        _log.info("database_migrated", extra={"from_revision": before, "to_revision": after})
    return database


def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Bring the database's schema up to date; return the revisions before and after.

    Raises:
        InvalidSettingsError: the settings do not describe a usable database or data directory.
        StoreUnavailableError: the database cannot be opened or written.
    """
    database, before, after = _open_and_migrate(settings)
    database.close()
    return before, after


def record_catalogue(services: Services) -> None:
    """Record the catalogue that this process checks events against by `audit-log.catalogue`, if it is another one."""
    catalogue = services.catalogue
    digest, strict = (catalogue.digest, catalogue.strict) if catalogue else (None, False)
    try:
        recorded = record_digest(services.database, digest, strict=strict, at=datetime.now(UTC))
    except StoreUnavailableError as exc:
        action = "Nothing: the next start records it. Until then the log does not show which catalogue is in force."
        _log.warning("catalogue_not_recorded", extra={"digest": digest, "reason": str(exc), "action": action})
        return
    if recorded:
        _log.info("catalogue_recorded", extra={"digest": digest, "types": len(catalogue.types) if catalogue else 0})


def _open_and_migrate(settings: Settings) -> tuple[Database, str | None, str]:
    if settings.database_url is None:
        make_data_dir(settings)
    database = database_for(settings)
    try:
        return database, *database.migrate()
    except AuditLogError:
        database.close()
        raise


def _warn_of_orphaned_spool(settings: Settings) -> None:
    if pending := count_pending(settings.data_dir / SPOOL_NAME):
        action = "To store them, start once with AUDIT_LOG_QUEUE_URL=memory:// and AUDIT_LOG_SPOOL=process."
        _log.error("spool_orphaned", extra={"events": pending, "data": str(settings.data_dir), "action": action})


def _require_shared_keys(settings: Settings) -> None:
    if settings.jwt_secret is None and settings.jwt_key_file is None:
        raise InvalidSettingsError(
            "AUDIT_LOG_JWT_SECRET or AUDIT_LOG_JWT_KEY_FILE is not set: hosts that share a broker must sign tokens "
            "with the same key; create a secret with `openssl rand -base64 48` and give it to all of them"
        )


def load_or_create_secret(settings: Settings) -> Settings:
    """Return `settings` with a signing secret: the configured one, or that of the data directory, created if missing.

    Raises:
        InvalidSettingsError: the data directory cannot be created or written, or the file holds no secret.
    """
    if settings.jwt_secret is not None or settings.jwt_key_file is not None:
        return settings
    return settings.model_copy(update={"jwt_secret": _load_or_create(settings, SECRET_FILE_NAME)})


def load_secrets_key(settings: Settings) -> Settings:
    """Return `settings` with the key for the secrets of streams, configured or in the data directory, if there is one.

    Raises:
        InvalidSettingsError: the file cannot be read, or holds no key.
    """
    if settings.secrets_key is not None or not (settings.data_dir / SECRETS_KEY_FILE_NAME).exists():
        return settings
    return settings.model_copy(update={"secrets_key": _load_or_create(settings, SECRETS_KEY_FILE_NAME)})


def _load_or_create(settings: Settings, name: str) -> SecretStr:
    make_data_dir(settings)
    path = settings.data_dir / name
    try:
        if not path.exists():  # otherwise nothing is written: the disk may be full
            with contextlib.suppress(FileExistsError):
                create_private_file(path, secrets.token_urlsafe(MIN_SECRET_BYTES))
        secret = path.read_bytes().strip()
    except OSError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {path} cannot be created or read ({exc.strerror}); name a writable directory"
        ) from None
    if len(secret) < MIN_SECRET_BYTES or not secret.isascii():
        raise InvalidSettingsError(
            f"{path} holds no secret of {MIN_SECRET_BYTES} ASCII characters; remove it to get a new one"
        )
    return SecretStr(secret.decode())


def make_data_dir(settings: Settings) -> None:
    """Create the data directory, accessible to its owner only, unless it exists.

    Raises:
        InvalidSettingsError: it cannot be created.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {settings.data_dir} cannot be created ({exc.strerror}); "
            "name a directory that can be written"
        ) from None


def create_private_file(path: Path, secret: str) -> None:
    """Create a file of one secret atomically, accessible to its owner only: another process may start at the same time.

    Raises:
        FileExistsError: another process created it first.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
