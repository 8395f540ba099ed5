"""The API of SQS: what it refuses or does not answer becomes an error of ours."""

import os
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final

from core.errors import InvalidSettingsError, QueueUnavailableError
from core.queues.sqs.address import Address

if find_spec("boto3") is None:
    raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 4.0
LONGEST_POLL_SECONDS: Final = 2
"""SQS would wait for 20; an answer that takes longer than `READ_SECONDS` is none."""
ATTEMPTS: Final = 3
CONNECTIONS: Final = 32  # as many as there are threads that accept events

_MISSING: Final = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}  # by the protocol that answers


class Client:
    """Calls operations on one queue. Safe to use from several threads.

    boto3 is imported and its client made at the first call: a function that queues nothing must not pay for it. Its
    standard retry mode tries what may succeed up to `ATTEMPTS` times, with growing and random pauses of 3 seconds in all
    at the most: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    """

    def __init__(self, address: Address) -> None:
        self.address: Final = address
        self._opening = Lock()
        self._client: Any = None
        self._closed = False

    def call(self, operation: str, *, queue_url: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Do one operation, named as in boto3, on this queue or on the one of `queue_url`.

        Raises:
            QueueUnavailableError: SQS refuses it, or gave no answer in time: it may have been done all the same.
        """
        client = self._opened()
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

        try:
            answer: dict[str, Any] = getattr(client, operation)(
                QueueUrl=queue_url or self.address.queue_url, **parameters
            )
        except ClientError as exc:
            if exc.response["Error"].get("Code") in _MISSING:
                raise QueueUnavailableError(
                    f"There is no SQS queue {self.address.name} with dead letters that this service may use: create both."
                ) from exc
            raise unavailable() from exc
        except BotoCoreError as exc:
            raise unavailable() from exc
        return answer

    def close(self) -> None:
        """Disconnect, for good."""
        with self._opening:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _opened(self) -> Any:
        with self._opening:
            if self._closed:
                raise QueueUnavailableError("The service is shutting down: nothing was done, try again.")
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> Any:
        import boto3  # noqa: PLC0415 - see above
        from botocore import UNSIGNED  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        session = boto3.Session()
        # boto3 itself only reads AWS_DEFAULT_REGION; the other SDKs, and Lambda, have AWS_REGION.
        region = self.address.region or os.environ.get("AWS_REGION") or session.region_name
        if region is None and self.address.is_signed:
            raise InvalidSettingsError(
                "AUDIT_LOG_QUEUE_URL: its host does not name the region of the SQS queue: set AWS_REGION"
            )
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            signature_version=None if self.address.is_signed else UNSIGNED,
        )
        return session.client(
            "sqs", endpoint_url=self.address.endpoint, region_name=region or "us-east-1", config=config
        )


def unavailable() -> QueueUnavailableError:
    """What to raise while SQS cannot be used."""
    return QueueUnavailableError("SQS cannot be used at the moment: try again later.")
