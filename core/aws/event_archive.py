"""Archive of events in S3: an object for each batch, since S3 appends nothing."""

from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from core.errors import ArchiveUnavailableError

SCHEME: Final = "s3://"


class S3Archive:
    """Writes blocks of one run as objects below a prefix of a bucket."""

    def __init__(self, url: str, suffix: str, client: Any) -> None:
        """`url` is s3://BUCKET/PREFIX, `client` is boto3's for S3.

        Raises:
            ArchiveUnavailableError: the URL has no bucket.
        """
        self._bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        if not self._bucket:
            raise ArchiveUnavailableError("The archive has no bucket: name it as s3://BUCKET/PREFIX.")
        start = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._names = (f"{start}events-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{part:06}{suffix}" for part in count(1))
        self._client = client

    def append(self, block: bytes) -> None:
        """Write a block durably, as the next object.

        Raises:
            ArchiveUnavailableError: it cannot be written.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - at first use

        try:
            self._client.put_object(Bucket=self._bucket, Key=next(self._names), Body=block)
        except (BotoCoreError, ClientError) as exc:
            raise ArchiveUnavailableError(
                f"The archive in the bucket {self._bucket} cannot be written ({type(exc).__name__}): these events are "
                "not deleted. Check the bucket, the credentials and the region."
            ) from exc
