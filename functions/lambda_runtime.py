"""Services of a Lambda process: secrets from their ARNs, metrics written to the log, no open authentication."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Final

from core.aws.database import iam_password
from core.aws.metrics import LoggedMetrics
from core.aws.revocation_list import SecretRevocationList
from core.aws.secrets import SecretReader, read_secret, resolve_secrets
from core.domain.clock import Clock
from core.errors import InvalidSettingsError, SecretUnavailableError
from core.queues.brokers import broker
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Parts, Services

STAGE: Final = "STAGE"
"""Environment variable with the name of the stage, which metrics carry."""

REVOCATIONS: Final = "REVOCATIONS_SECRET"
"""Environment variable with the ARN of the list of revoked tokens. Without it they are read from the database."""

SECRETS_SECONDS: Final = 300
"""Maximum age of the secrets that were read. A rotation waits that long between its steps."""

_log = logging.getLogger(__name__)


class LambdaServices:
    """Builds the services at the first request, and again after a secret has changed.

    Lambda sends a process one request at a time, so no request is running when the old services are closed.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        read: SecretReader = read_secret,
        clock: Clock = time.monotonic,
    ) -> None:
        self._environ = environ
        self._read = read
        self._clock = clock
        self._values: dict[str, str] = {}
        self._read_at = 0.0
        self._services: Services | None = None

    def __call__(self) -> Services:
        """Return the current services.

        Raises:
            InvalidSettingsError: the settings are invalid or incomplete.
            SecretUnavailableError: a secret cannot be read, and no earlier value is known.
        """
        if self._services is not None and self._clock() < self._read_at + SECRETS_SECONDS:
            return self._services
        values = self._current_values()
        self._read_at = self._clock()
        if self._services is None or values != self._values:
            if self._services is not None:
                self._services.close()
            self._services = None
            self._services = _build_services(Settings.from_environ(values), self._environ)
            self._values = values
        return self._services

    def _current_values(self) -> dict[str, str]:
        """Return the environment with its secrets resolved; the last values while a secret cannot be read."""
        try:
            return resolve_secrets(self._environ, self._read)
        except SecretUnavailableError as exc:
            if self._services is None:
                raise
            action = (
                "Nothing, if it ends soon: the last values are in use. Otherwise check Secrets Manager and the role."
            )
            _log.warning("secret_unavailable", extra={"reason": str(exc), "action": action})
            return self._values


def _build_services(settings: Settings, environ: Mapping[str, str]) -> Services:
    if settings.auth == "open":
        raise InvalidSettingsError("AUDIT_LOG_AUTH=open gives a token to anyone who asks: set AUDIT_LOG_AUTH=clients")
    broker(settings)  # refuses a queue inside the process, which Lambda cannot have
    metrics = LoggedMetrics(environ.get(STAGE, ""))
    revocations = None
    if arn := environ.get(REVOCATIONS):
        revocations = SecretRevocationList(arn, settings.token_max_minutes, time.time)
    database = Database(
        settings.store_url,
        iam_password(settings.store_url),
        with_commitments=settings.has_ledger,
        revocation_list=revocations,
    )
    parts = Parts(revocations=revocations) if revocations else Parts()
    return Services(settings, database=database, meter=metrics, recorder=metrics, **parts)
