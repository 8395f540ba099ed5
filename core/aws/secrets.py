"""Resolves settings whose values are ARNs of AWS Secrets Manager."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from core.errors import SecretUnavailableError
from core.settings import PREFIX

# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html#iam-resources
_ARN: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+")
_TIMEOUT_SECONDS: Final = 3  # for connecting, and for reading; the first request waits for both

SecretReader = Callable[[str], str]
"""Returns the text of the secret with an ARN.

Raises:
    SecretUnavailableError: the secret cannot be read.
"""


def secrets_client(arn: str) -> Any:
    """Return boto3's client for Secrets Manager in the region of a secret, with the credentials of this process."""
    import boto3  # noqa: PLC0415 - takes 0.4 s, which processes without such settings save
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    return boto3.client("secretsmanager", region_name=arn.split(":")[3], config=config)


def read_secret(arn: str) -> str:
    """Implement `SecretReader` with Secrets Manager."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    try:
        text: str = secrets_client(arn).get_secret_value(SecretId=arn)["SecretString"]
    except (BotoCoreError, ClientError) as exc:
        raise SecretUnavailableError("A secret of this service is unavailable at the moment: try again later.") from exc
    return text


def resolve_secrets(environ: Mapping[str, str], read: SecretReader = read_secret) -> dict[str, str]:
    """Return the environment with the text of the secret for each `AUDIT_LOG_*` variable that is an ARN.

    Raises:
        SecretUnavailableError: a secret cannot be read.
    """
    return {
        name: read(value) if name.startswith(PREFIX) and _ARN.fullmatch(value) else value
        for name, value in environ.items()
    }
