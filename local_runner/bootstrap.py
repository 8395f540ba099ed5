"""What a first start needs, and what has to be known before one."""

import logging

from core.auth.keys import key_ring
from core.auth.rate_limits import RateLimiter
from core.errors import InvalidSettingsError
from core.queues.brokers import broker
from core.settings import Settings
from core.stores.engine import open_engine
from core.stores.migrations.upgrade import migrate
from local_runner.secret import make_data_dir, with_secret
from local_runner.spool.recovery import unsettled
from local_runner.spool.spool import SPOOL_NAME

_log = logging.getLogger(__name__)


def prepared(settings: Settings) -> Settings:
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
    settings = with_secret(settings)
    key_ring(settings)  # a key file or storage that cannot be used is known now, not at the first request
    if settings.rate_limit_storage != "memory://":
        RateLimiter(settings)
    before, after = migrated(settings)
    if before != after:
        _log.info("the database was migrated", extra={"from_revision": before, "to_revision": after})
    return settings


def _tell_of_left_events(settings: Settings) -> None:
    if left := unsettled(settings.data_dir / SPOOL_NAME):
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


def migrated(settings: Settings) -> tuple[str | None, str]:
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
