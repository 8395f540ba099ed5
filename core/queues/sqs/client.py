"""Client of the SQS API that turns boto3's errors into those of this service."""

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
"""SQS accepts up to 20, but a response must arrive within `READ_SECONDS`."""
ATTEMPTS: Final = 3
CONNECTIONS: Final = 32  # as many as there are threads that accept events

_MISSING: Final = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
}  # depends on the protocol, query or JSON

_opening: Final = Lock()  # shared by all clients, because boto3's default session is not thread-safe


class SQSClient:
    """Calls operations on one queue. Safe to use from several threads.

    Imports boto3 and creates its client at the first call, so that a function that queues nothing does not pay for it.
    boto3's standard retry mode makes up to `ATTEMPTS` attempts, with random pauses that grow, at most 3 seconds in
    all: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    """

    def __init__(self, address: SQSAddress, timeout: float = READ_SECONDS) -> None:
        """`timeout` limits the wait for each response, in seconds."""
        self.address: Final = address
        self._timeout: Final = timeout
        self._client: Any = None
        self._closed = False

    def call(self, operation: str, *, queue_url: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call an operation, named as in boto3, on this queue or on that of `queue_url`.

        Raises:
            QueueUnavailableError: SQS refuses the call, or did not respond in time and may have carried it out.
        """
        client = self._opened()
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - see above

        try:
            response: dict[str, Any] = getattr(client, operation)(
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
        return response

    def close(self) -> None:
        """Disconnect permanently."""
        with _opening:
            self._closed = True
            if self._client is not None:
                self._client.close()

    def _opened(self) -> Any:
        with _opening:
            if self._closed:
                raise QueueUnavailableError("The service is shutting down: nothing was sent, try again.")
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
    # boto3 reads AWS_DEFAULT_REGION, but not AWS_REGION, which Lambda and the other SDKs use.
    region = address.region or os.environ.get("AWS_REGION") or (None if address.is_signed else "us-east-1")
    try:
        return boto3.client("sqs", endpoint_url=address.endpoint, region_name=region, config=config)
    except NoRegionError as exc:
        raise InvalidSettingsError(
            "AUDIT_LOG_QUEUE_URL: the host does not contain the region of the SQS queue: set AWS_REGION"
        ) from exc


def unavailable() -> QueueUnavailableError:
    """Build the error for any operation while SQS is unavailable."""
    return QueueUnavailableError("SQS is unavailable at the moment: try again later.")


def _refusal(address: SQSAddress, operation: str, code: str) -> QueueUnavailableError:
    if code in _MISSING:
        return QueueUnavailableError(
            f"There is no SQS queue {address.name}, or its dead-letter queue is missing: create them."
        )
    return QueueUnavailableError(
        f"SQS refuses {operation} with {code}: check the queue's policy and the service's role, or try again later."
    )
