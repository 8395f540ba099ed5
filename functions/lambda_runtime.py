"""Services of a Lambda process: secrets from their ARNs, metrics written to the log, no open authentication."""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

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

SECRETS_KEY: Final = "AUDIT_LOG_SECRETS_KEY"
"""Setting that is read when a secret of a stream is, so that no other request waits for it or fails by it."""

ON_DEMAND: Final = Path(__file__).parents[1] / "on_demand"
"""Folder of the package with the library that encrypts, which is imported with the first secret of a stream."""

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
        at_once = {name: value for name, value in environ.items() if name != SECRETS_KEY}
        self._at_once = _Environment(at_once, read, clock)
        self._on_demand = _Environment({SECRETS_KEY: environ.get(SECRETS_KEY, "")}, read, clock)
        self._values: Mapping[str, str] = {}
        self._services: Services | None = None

    def __call__(self) -> Services:
        """Return the current services.

        Raises:
            InvalidSettingsError: the settings are invalid or incomplete.
            SecretUnavailableError: a secret cannot be read, and no earlier value is known.
        """
        values = self._at_once.values(reread=self._services is None)
        if self._services is None or values != self._values:
            if self._services is not None:
                self._services.close()
            self._services = None
            self._services = _build_services(Settings.from_environ(values), self._environ, self._secrets_key)
            self._values = values
        return self._services

    def _secrets_key(self) -> SecretStr | None:
        """Implement `Parts.secrets_key`."""
        if str(ON_DEMAND) not in sys.path:
            sys.path.append(str(ON_DEMAND))
        return Settings.from_environ(self._on_demand.values()).secrets_key


class _Environment:
    """An environment whose secrets are read when it is used, and again once they are `SECRETS_SECONDS` old."""

    def __init__(self, environ: Mapping[str, str], read: SecretReader, clock: Clock) -> None:
        self._environ = environ
        self._read = read
        self._clock = clock
        self._values: dict[str, str] | None = None
        self._read_at = 0.0

    def values(self, *, reread: bool = False) -> Mapping[str, str]:
        """Return the environment with its secrets resolved; the last values while a secret cannot be read.

        With `reread` their age does not matter: services could not be built with the last ones.

        Raises:
            SecretUnavailableError: a secret cannot be read, and no earlier value is known.
        """
        if self._values is not None and not reread and self._clock() < self._read_at + SECRETS_SECONDS:
            return self._values
        try:
            self._values = resolve_secrets(self._environ, self._read)
        except SecretUnavailableError as exc:
            if self._values is None:
                raise
            action = (
                "Nothing, if it ends soon: the last values are in use. Otherwise check Secrets Manager and the role."
            )
            _log.warning("secret_unavailable", extra={"reason": str(exc), "action": action})
        self._read_at = self._clock()
        return self._values


def _build_services(
    settings: Settings, environ: Mapping[str, str], secrets_key: Callable[[], SecretStr | None]
) -> Services:
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
    parts = Parts(secrets_key=secrets_key)
    if revocations:
        parts["revocations"] = revocations
    return Services(settings, database=database, meter=metrics, recorder=metrics, **parts)
