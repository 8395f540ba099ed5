"""The services of a process that AWS Lambda runs: secrets by their ARN, metrics by the log, and nothing for anyone."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Final

from core.aws.database import iam_password
from core.aws.metrics import LoggedMetrics
from core.aws.secrets import SecretReader, read_secret, resolve_secrets
from core.domain.clock import Clock
from core.errors import InvalidSettingsError, SecretUnavailableError
from core.queues.brokers import broker
from core.settings import Settings
from core.stores.database import Database
from core.wiring import Services

STAGE: Final = "STAGE"
"""The environment variable that names the stage, for the metrics."""

SECRETS_SECONDS: Final = 300
"""How old what was read of secrets may be. Who rotates one waits for as long between two steps."""

_log = logging.getLogger(__name__)


class LambdaServices:
    """Builds the services at the first request, and anew when a secret has changed.

    Lambda gives a process one request at a time, so that no request is at work when its services are closed.
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
        """The services of now.

        Raises:
            InvalidSettingsError: the environment does not describe a service that can start.
            SecretUnavailableError: a secret cannot be read, and none was read before.
        """
        if self._services is not None and self._clock() < self._read_at + SECRETS_SECONDS:
            return self._services
        values = self._current()
        self._read_at = self._clock()
        if self._services is None or values != self._values:
            if self._services is not None:
                self._services.close()
            self._services = None
            self._services = _services(Settings.from_environ(values), self._environ.get(STAGE, ""))
            self._values = values
        return self._services

    def _current(self) -> dict[str, str]:
        try:
            return resolve_secrets(self._environ, self._read)
        except SecretUnavailableError:
            if self._services is None:
                raise
            _log.warning("a secret cannot be read: what was read before still counts")
            return self._values


def _services(settings: Settings, stage: str) -> Services:
    if settings.auth == "open":
        raise InvalidSettingsError("AUDIT_LOG_AUTH=open gives a token to anyone who asks: set AUDIT_LOG_AUTH=clients")
    broker(settings)
    metrics = LoggedMetrics(stage)
    database = Database(settings.store_url, iam_password(settings.store_url))
    return Services(settings, database=database, meter=metrics, recorder=metrics)
