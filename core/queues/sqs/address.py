"""The URL of an SQS queue: endpoint, account, name and region."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.errors import InvalidSettingsError

_SCHEMES: Final = {"sqs": "https", "sqs+http": "http"}
# sqs.REGION.amazonaws.com, sqs-fips.REGION..., ID.sqs.REGION.vpce.amazonaws.com, sqs.REGION.api.aws:
# https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
_REGION: Final = re.compile(r"(?:^|\.)sqs(?:-fips)?\.(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]+)\.")
# Allowed names: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
_PATH: Final = re.compile(r"/(?P<account>[0-9]{12})/(?P<name>[A-Za-z0-9_-]{1,80})")
_EXAMPLE: Final = "use, for example, sqs://sqs.eu-central-1.amazonaws.com/123456789012/audit-log-events"


@dataclass(frozen=True)
class SQSAddress:
    """Parts of `sqs://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, the queue's URL with `sqs` in place of `https`.

    `sqs+http://127.0.0.1:PORT/ACCOUNT/NAME` addresses a local server with the API of SQS.
    """

    endpoint: str
    account: str
    name: str
    region: str | None
    """None if the host does not contain it."""

    @property
    def queue_url(self) -> str:
        """The queue's URL in the API of SQS."""
        return f"{self.endpoint}/{self.account}/{self.name}"

    @property
    def is_signed(self) -> bool:
        """Whether requests are signed with credentials; never over plain HTTP, where others could read them."""
        return self.endpoint.startswith("https:")

    @classmethod
    def parse(cls, url: str) -> "SQSAddress":
        """Parse a queue URL.

        Raises:
            InvalidSettingsError: not an SQS URL. The message repeats none of it, because it may hold a secret.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _invalid(_EXAMPLE) from None
        if parts.scheme not in _SCHEMES or not host or port == 0:
            raise _invalid(f"{_EXAMPLE}, or sqs+http://127.0.0.1:PORT/ACCOUNT/NAME for a local server")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise _invalid(f"{_EXAMPLE}; credentials and settings come from the AWS SDK, not from the URL")
        if parts.path.endswith(".fifo"):
            raise _invalid(
                "a FIFO queue is slower and adds nothing, because event ids are unique: use a standard queue"
            )
        path = _PATH.fullmatch(parts.path)
        if path is None:
            raise _invalid(f"{_EXAMPLE}, with an account of 12 digits and a queue name")
        region = _REGION.search(host)
        return cls(
            f"{_SCHEMES[parts.scheme]}://{parts.netloc}", path["account"], path["name"], region and region["region"]
        )


def _invalid(hint: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"AUDIT_LOG_QUEUE_URL is not an SQS queue URL: {hint}")
