"""What a first start needs, and what has to be known before one."""

import contextlib
import logging
import os
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from core.auth.keys import key_ring
from core.auth.rate_limits import RateLimiter
from core.errors import InvalidSettingsError
from core.queues.brokers import broker
from core.settings import MIN_SECRET_BYTES, Settings
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from local_runner.spool.recovery import count_pending
from local_runner.spool.spool import SPOOL_NAME

_log = logging.getLogger(__name__)


def prepare(settings: Settings) -> Settings:
    """Make what a first start needs: the data directory, the secret, the tables. Returns settings with the secret.

    Raises:
        InvalidSettingsError: the settings do not describe keys, a store or a data directory that can be used.
        StoreUnavailableError: the store cannot be opened or written.
    """
    if settings.queue_scheme != "memory":
        broker(settings)
        _require_shared_keys(settings)
    if settings.spool == "off" or settings.queue_scheme != "memory":
        _tell_of_left_events(settings)
    settings = load_or_create_secret(settings)
    key_ring(settings)  # a key file or storage that cannot be used is known now, not at the first request
    if settings.rate_limit_storage != "memory://":
        RateLimiter(settings)
    before, after = run_migrations(settings)
    if before != after:
        _log.info("the database was migrated", extra={"from_revision": before, "to_revision": after})
    return settings


def _tell_of_left_events(settings: Settings) -> None:
    if left := count_pending(settings.data_dir / SPOOL_NAME):
        _log.error(
            "accepted events wait in a spool that these settings leave alone: to store them, start once with "
            "AUDIT_LOG_QUEUE_URL=memory:// and AUDIT_LOG_SPOOL=process",
            extra={"events": left, "data": str(settings.data_dir)},
        )


def _require_shared_keys(settings: Settings) -> None:
    if settings.jwt_secret is None and settings.jwt_key_file is None:
        raise InvalidSettingsError(
            "AUDIT_LOG_JWT_SECRET or AUDIT_LOG_JWT_KEY_FILE is not set: hosts that share a broker must share what "
            "signs tokens; make a secret with `openssl rand -base64 48` and give it to all of them"
        )


def run_migrations(settings: Settings) -> tuple[str | None, str]:
    """Bring the database, with the directory it lies in by default, to the current schema; the revisions around that.

    Raises:
        InvalidSettingsError: the settings do not describe a store or a data directory that can be used.
        StoreUnavailableError: the store cannot be opened or written.
    """
    if settings.database_url is None:
        make_data_dir(settings)
    engine = open_engine(settings.store_url)
    try:
        return migrate(engine)
    finally:
        engine.dispose()


SECRET_FILE_NAME: Final = "jwt-secret"  # noqa: S105 - the name of a file


def load_or_create_secret(settings: Settings) -> Settings:
    """`settings` with a secret: its own, or the one in the data directory, which is made when it is not there.

    Raises:
        InvalidSettingsError: the data directory cannot be made or written, or the file is no secret.
    """
    if settings.jwt_secret is not None or settings.jwt_key_file is not None:
        return settings
    make_data_dir(settings)
    path = settings.data_dir / SECRET_FILE_NAME
    try:
        with contextlib.suppress(FileExistsError):
            _create(path, secrets.token_urlsafe(MIN_SECRET_BYTES))
        secret = path.read_bytes().strip()
    except OSError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {path} cannot be made or read ({exc.strerror}); name a directory that can be written"
        ) from None
    if len(secret) < MIN_SECRET_BYTES or not secret.isascii():
        raise InvalidSettingsError(
            f"{path} holds no secret of {MIN_SECRET_BYTES} ASCII characters; remove it to get a new one"
        )
    return settings.model_copy(update={"jwt_secret": SecretStr(secret.decode())})


def make_data_dir(settings: Settings) -> None:
    """Make the data directory, for its owner alone, if it is not there.

    Raises:
        InvalidSettingsError: it cannot be made.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidSettingsError(
            f"AUDIT_LOG_DATA_DIR: {settings.data_dir} cannot be made ({exc.strerror}); "
            "name a directory that can be written"
        ) from None


def _create(path: Path, secret: str) -> None:
    """Write the file at once and whole, for its owner alone: another process may start at the same time.

    Raises:
        FileExistsError: another process was first.
    """
    draft = path.with_name(f".{SECRET_FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
