"""Where a queue is: its URL, and what has to be known to reach it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.errors import InvalidSettingsError

_SCHEMES: Final = {"sqs": "https", "sqs+http": "http"}
# sqs.REGION.amazonaws.com, sqs-fips.REGION..., ID.sqs.REGION.vpce.amazonaws.com, sqs.REGION.api.aws:
# https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
_REGION: Final = re.compile(r"(?:^|\.)sqs(?:-fips)?\.(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]+)\.")
# Names: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
_PATH: Final = re.compile(r"/(?P<account>[0-9]{12})/(?P<name>[A-Za-z0-9_-]{1,80})")
_EXAMPLE: Final = "use for example sqs://sqs.eu-central-1.amazonaws.com/123456789012/audit-log-events"


@dataclass(frozen=True)
class SQSAddress:
    """The parts of `sqs://sqs.REGION.amazonaws.com/ACCOUNT/NAME`: the queue's URL with sqs in the place of https.

    `sqs+http://127.0.0.1:PORT/ACCOUNT/NAME` is a local server with the API of SQS.
    """

    endpoint: str
    account: str
    name: str
    region: str | None
    """None: the host does not name it."""

    @property
    def queue_url(self) -> str:
        """The queue's URL as SQS has it."""
        return f"{self.endpoint}/{self.account}/{self.name}"

    @property
    def is_signed(self) -> bool:
        """Whether requests are signed with credentials; they never are where others could read along."""
        return self.endpoint.startswith("https:")

    @classmethod
    def parse(cls, url: str) -> "SQSAddress":
        """Take the URL of a queue apart.

        Raises:
            InvalidSettingsError: not such a URL. What is in it is not repeated, since a secret may have been put there.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _invalid(_EXAMPLE) from None
        if parts.scheme not in _SCHEMES or not host or port == 0:
            raise _invalid(f"{_EXAMPLE}, or sqs+http://127.0.0.1:PORT/ACCOUNT/NAME for a local server")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise _invalid(f"{_EXAMPLE}; credentials and settings are those of the AWS SDK, not of the URL")
        if parts.path.endswith(".fifo"):
            raise _invalid("a FIFO queue is slower and brings nothing, since ids are unique: use a standard queue")
        path = _PATH.fullmatch(parts.path)
        if path is None:
            raise _invalid(f"{_EXAMPLE}, with an account of 12 digits and the queue's name")
        region = _REGION.search(host)
        return cls(
            f"{_SCHEMES[parts.scheme]}://{parts.netloc}", path["account"], path["name"], region and region["region"]
        )


def _invalid(hint: str) -> InvalidSettingsError:
    return InvalidSettingsError(f"AUDIT_LOG_QUEUE_URL is not the address of an SQS queue: {hint}")
