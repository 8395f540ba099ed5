"""Checkpoint guard in S3: an object that is replaced only by who has read it last, in a bucket that keeps versions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from typing import Any, Final

from core.errors import GuardUnavailableError

_OBJECT: Final = "last"
_MISSING: Final = "NoSuchKey"
_OVERTAKEN: Final = {"PreconditionFailed", "ConditionalRequestConflict"}


class S3Guard:
    """Implements `CheckpointGuard`. The versions of the object are all checkpoints that were signed."""

    def __init__(self, bucket: str, client: Any) -> None:
        """`client` is boto3's for S3."""
        self._bucket = bucket
        self._client = client

    def latest(self) -> bytes | None:
        """See `CheckpointGuard.latest`."""
        return self._read()[0]

    def advance(self, expected: bytes | None, note: bytes) -> None:
        """See `CheckpointGuard.advance`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - at first use

        last, tag = self._read()
        if last != expected:
            raise _overtaken()
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=_OBJECT, Body=note, ContentType="text/plain; charset=utf-8", **condition
            )
        except ClientError as exc:
            if exc.response["Error"]["Code"] in _OVERTAKEN:
                raise _overtaken() from None
            raise self._unavailable(exc) from exc
        except BotoCoreError as exc:
            raise self._unavailable(exc) from exc

    def _read(self) -> tuple[bytes | None, str | None]:
        """Return the object and its ETag; None for both if there is none."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - at first use

        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=_OBJECT)
            return answer["Body"].read(), answer["ETag"]
        except ClientError as exc:
            if exc.response["Error"]["Code"] == _MISSING:
                return None, None
            raise self._unavailable(exc) from exc
        except BotoCoreError as exc:
            raise self._unavailable(exc) from exc

    def _unavailable(self, error: Exception) -> GuardUnavailableError:
        return GuardUnavailableError(
            f"The checkpoint guard in the bucket {self._bucket} cannot be used ({type(error).__name__}): check the "
            "bucket and the role of the function."
        )


def _overtaken() -> GuardUnavailableError:
    return GuardUnavailableError("Another process signed a checkpoint meanwhile.")
