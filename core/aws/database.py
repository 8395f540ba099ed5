"""IAM passwords for PostgreSQL, which are valid for 15 minutes; a connection outlives its password.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

_PORT: Final = 5432


def iam_password(url: str) -> Callable[[], str] | None:
    """Return a password generator for the user in a PostgreSQL URL; None if the URL has a password or no user.

    Passwords are signed locally with the credentials of this process, without a request.
    """
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres") or not parts.username or parts.password is not None:
        return None

    def password() -> str:
        import boto3  # noqa: PLC0415 - at first use

        token: str = boto3.client("rds").generate_db_auth_token(
            DBHostname=parts.hostname, Port=parts.port or _PORT, DBUsername=parts.username
        )
        return token

    return password
