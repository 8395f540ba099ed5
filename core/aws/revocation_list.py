"""The list of revoked tokens in AWS Secrets Manager, from which handlers read it without a driver of the database.

Tokens live for a limited time, so that the list keeps a client only for that time after it was disabled or had its
tokens revoked: it stays far below the 65,536 bytes of a secret's value.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from core.aws.secrets import secrets_client
from core.domain.clock import Clock
from core.domain.models import Client
from core.errors import SecretUnavailableError

_FIRST_VALID_IAT: Final = "first_valid_iat"
_MARGIN_SECONDS: Final = 45  # the clocks of two hosts differ


class SecretRevocationList:
    """Implements `RevocationList`. The value is `{"first_valid_iat": {CLIENT_ID: Unix second, or null for never}}`."""

    def __init__(
        self, arn: str, token_max_minutes: int, clock: Clock, client_for: Callable[[str], Any] = secrets_client
    ) -> None:
        """Remember the secret's `arn`; `client_for` returns boto3's client for it, at the first use."""
        self._arn = arn
        self._client_for = client_for
        self._max_seconds = token_max_minutes * 60
        self._clock = clock

    def revocations(self) -> Mapping[str, float]:
        """See `RevocationReader.revocations`."""
        value = self._call("get_secret_value")["SecretString"]
        try:
            listed = json.loads(value)[_FIRST_VALID_IAT]
            return {client_id: math.inf if iat is None else float(iat) for client_id, iat in listed.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise SecretUnavailableError(
                "The list of revoked tokens in Secrets Manager cannot be read as JSON: write it again by disabling any "
                "disabled client once more."
            ) from exc

    def publish(self, revoked: Sequence[Client]) -> None:
        """See `RevocationList.publish`."""
        oldest = self._clock() - self._max_seconds - _MARGIN_SECONDS
        listed = {
            client.client_id: None if client.disabled_at else client.tokens_not_before
            for client in revoked
            if (client.disabled_at.timestamp() if client.disabled_at else client.tokens_not_before or 0) > oldest
        }
        self._call("put_secret_value", SecretString=json.dumps({_FIRST_VALID_IAT: listed}, separators=(",", ":")))

    @cached_property
    def _client(self) -> Any:
        return self._client_for(self._arn)

    def _call(self, method: str, **arguments: object) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - at first use

        try:
            answer: dict[str, Any] = getattr(self._client, method)(SecretId=self._arn, **arguments)
        except (BotoCoreError, ClientError) as exc:
            raise SecretUnavailableError(
                f"The list of revoked tokens in Secrets Manager cannot be used ({type(exc).__name__}): try again "
                "later, or check the role of the function."
            ) from exc
        return answer
