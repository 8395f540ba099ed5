"""Passwords of the database that IAM gives out, each for 15 minutes and for as long as its connection lives.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

_PORT: Final = 5432


def iam_password(url: str) -> Callable[[], str] | None:
    """What makes a new password for the user in a PostgreSQL URL; None where the URL has a password, or no user.

    A password is made on this machine, out of the process's own credentials.
    """
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres") or not parts.username or parts.password is not None:
        return None

    def password() -> str:
        import boto3  # noqa: PLC0415 - as for the secrets

        token: str = boto3.client("rds").generate_db_auth_token(
            DBHostname=parts.hostname, Port=parts.port or _PORT, DBUsername=parts.username
        )
        return token

    return password
