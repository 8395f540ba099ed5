"""The API of SQS: what it refuses or does not answer becomes an error of ours."""

import os
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final

from core.errors import InvalidSettingsError, QueueUnavailableError
from core.queues.sqs.address import SQSAddress

if find_spec("boto3") is None:
    raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 4.0
LONGEST_POLL_SECONDS: Final = 2
"""SQS would wait for 20; an answer that takes longer than `READ_SECONDS` is none."""
ATTEMPTS: Final = 3
CONNECTIONS: Final = 32  # as many as there are threads that accept events

_MISSING: Final = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}  # by the protocol that answers

_opening: Final = Lock()  # of all clients: boto3's session, which they share, does not make two at once


class SQSClient:
    """Calls operations on one queue. Safe to use from several threads.

    boto3 is imported and its client made at the first call: a function that queues nothing must not pay for it. Its
    standard retry mode tries what may succeed up to `ATTEMPTS` times, with growing and random pauses of at most 3
    seconds in all: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    """

    def __init__(self, address: SQSAddress, timeout: float = READ_SECONDS) -> None:
        """`timeout` bounds each answer, in seconds."""
        self.address: Final = address
        self._timeout: Final = timeout
        self._client: Any = None
        self._closed = False

    def call(self, operation: str, *, queue_url: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Do one operation, named as in boto3, on this queue or on the one of `queue_url`.

        Raises:
            QueueUnavailableError: SQS refuses it, or gave no answer in time: it may have been done all the same.
        """
        client = self._opened()
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - see above

        try:
            answer: dict[str, Any] = getattr(client, operation)(
                QueueUrl=queue_url or self.address.queue_url, **parameters
            )
        except ClientError as exc:
            raise _refusal(self.address, operation, str(exc.response["Error"].get("Code"))) from exc
        except NoCredentialsError as exc:
            raise QueueUnavailableError(
                "There are no AWS credentials for SQS: give the service a role, or set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            ) from exc
        except BotoCoreError as exc:
            raise unavailable() from exc
        return answer

    def close(self) -> None:
        """Disconnect, for good."""
        with _opening:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _opened(self) -> Any:
        with _opening:
            if self._closed:
                raise QueueUnavailableError("The service is shutting down: nothing was done, try again.")
            if self._client is None:
                self._client = _open(self.address, self._timeout)
            return self._client


def _open(address: SQSAddress, timeout: float) -> Any:
    import boto3  # noqa: PLC0415 - see SQSClient
    from botocore import UNSIGNED  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import NoRegionError  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        signature_version=None if address.is_signed else UNSIGNED,
    )
    # boto3 itself looks for AWS_DEFAULT_REGION and not for what Lambda and the other SDKs have.
    region = address.region or os.environ.get("AWS_REGION") or (None if address.is_signed else "us-east-1")
    try:
        return boto3.client("sqs", endpoint_url=address.endpoint, region_name=region, config=config)
    except NoRegionError as exc:
        raise InvalidSettingsError(
            "AUDIT_LOG_QUEUE_URL: its host does not name the region of the SQS queue: set AWS_REGION"
        ) from exc


def unavailable() -> QueueUnavailableError:
    """What to raise while SQS cannot be used."""
    return QueueUnavailableError("SQS cannot be used at the moment: try again later.")


def _refusal(address: SQSAddress, operation: str, code: str) -> QueueUnavailableError:
    if code in _MISSING:
        return QueueUnavailableError(
            f"There is no SQS queue {address.name}, or not that of its dead letters: create them."
        )
    return QueueUnavailableError(
        f"SQS refuses {operation} with {code}: see the queue's policy and the service's role, or try again later."
    )
