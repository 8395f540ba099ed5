"""Settings that are kept in AWS Secrets Manager."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from core.errors import SecretUnavailableError
from core.settings import PREFIX

# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html#iam-resources
_ARN: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+")
_SECONDS: Final = 3  # to connect, and again to read: a request waits for this

SecretReader = Callable[[str], str]
"""From the ARN of a secret to the text that it holds.

Raises:
    SecretUnavailableError: it cannot be read.
"""


def read_secret(arn: str) -> str:
    """Implements `SecretReader` by Secrets Manager, with the credentials of the process."""
    import boto3  # noqa: PLC0415 - 0.4 s that a process without such settings must not pay
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    config = Config(
        connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"mode": "standard", "total_max_attempts": 2}
    )
    try:
        client = boto3.client("secretsmanager", region_name=arn.split(":")[3], config=config)
        text: str = client.get_secret_value(SecretId=arn)["SecretString"]
    except (BotoCoreError, ClientError) as exc:
        raise SecretUnavailableError("A secret of this service cannot be read at the moment: try again later.") from exc
    return text


def resolved(environ: Mapping[str, str], read: SecretReader = read_secret) -> dict[str, str]:
    """The environment, with what a secret holds wherever an `AUDIT_LOG_*` variable is the ARN of one.

    Raises:
        SecretUnavailableError: one of them cannot be read.
    """
    return {
        name: read(value) if name.startswith(PREFIX) and _ARN.fullmatch(value) else value
        for name, value in environ.items()
    }
