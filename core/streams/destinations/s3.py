"""Destination `s3`: compressed files of JSON lines in a bucket of Amazon S3, or of a server that speaks its protocol.

An object is written once it is full, or `every` so many seconds. Its key begins with the hour in which its first event
was received, and ends with the id of that event and the number of events: a batch that is sent again has the same key.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import gzip
import re
from typing import Annotated, Any, Final, Literal

import boto3
import orjson
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StrictStr, model_validator

from core.errors import DeliveryDelayedError, DeliveryError, MisconfiguredError
from core.ports.streams import Batch, Limits, Receipt
from core.streams.egress import Egress
from core.streams.settings_fields import EndpointUrl

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 30
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{1,50}")
_PREFIX: Final = re.compile(r"(?:[A-Za-z0-9!_.*'()=-]+/)*[A-Za-z0-9!_.*'()=-]*")
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_EXISTS: Final = 412
_PASSING: Final = {
    "SlowDown",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "OperationAborted",
    "ConditionalRequestConflict",
}


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value) or ".." in value:
        raise ValueError("must be the name of a bucket: 3 to 63 small letters, digits, dots and hyphens")
    return value


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError("must be a region, such as eu-central-1")
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value) or any(part in {".", ".."} for part in value.split("/")):
        raise ValueError("must be names with a slash between them, such as audit/prod, and none at the beginning")
    return value.removesuffix("/")


class Config(BaseModel):
    """Settings of the destination."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["s3"] = "s3"
    bucket: Annotated[StrictStr, AfterValidator(_bucket)]
    region: Annotated[StrictStr, AfterValidator(_region)] = Field(examples=["eu-central-1"])
    prefix: Annotated[StrictStr, Field(max_length=500), AfterValidator(_prefix)] = Field(
        default="", description="Beginning of the keys, without a slash at its end."
    )
    endpoint: EndpointUrl | None = Field(default=None, description="URL of another server than Amazon's.")
    object_lock: bool = Field(
        default=False, description="Whether an object that exists is kept: for buckets with object lock."
    )
    every: int = Field(default=300, ge=0, le=86400, description="Most seconds until an object is written.")


class Secrets(BaseModel):
    """Secret settings of the destination. Without keys, the role of the service is used."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None

    @model_validator(mode="after")
    def _both(self) -> "Secrets":
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key only work together: set both, or none")
        return self


class S3Destination:
    """Implements `Destination`."""

    def __init__(self, config: Config, client: Any) -> None:
        """`client` is boto3's for S3."""
        self.limits = Limits(events=5_000, bytes=8_000_000, seconds=config.every)
        self._config = config
        self._client = client

    def send(self, batch: Batch) -> Receipt:
        """See `Destination.send`."""
        body = gzip.compress(b"".join(orjson.dumps(entry.record) + b"\n" for entry in batch.entries), mtime=0)
        condition = {"IfNoneMatch": "*"} if self._config.object_lock and not batch.is_test else {}
        try:
            answer = self._client.put_object(
                Bucket=self._config.bucket,
                Key=self._key(batch),
                Body=body,
                ContentType="application/gzip",
                ChecksumAlgorithm="SHA256",
                **condition,
            )
        except ClientError as exc:
            status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if condition and status == _EXISTS:  # an earlier attempt has written it
                return Receipt(status)
            raise _failure(str(exc.response.get("Error", {}).get("Code")), status) from None
        except NoCredentialsError:
            raise MisconfiguredError(
                "There are no credentials for S3: give the stream keys, or the service a role."
            ) from None
        except BotoCoreError:
            raise DeliveryDelayedError("S3 cannot be reached.") from None
        return Receipt(answer["ResponseMetadata"]["HTTPStatusCode"])

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _key(self, batch: Batch) -> str:
        first = batch.entries[0].event
        hour = "test" if batch.is_test else first.received_at.strftime("%Y/%m/%d/%H")
        name = f"{hour}/{first.event_id}-{len(batch.entries)}.ndjson.gz"
        return f"{self._config.prefix}/{name}" if self._config.prefix else name


def open_destination(_stream_id: str, config: Config, secrets: Secrets, egress: Egress) -> S3Destination:
    """See `core.ports.streams`. An endpoint of another server is set by the operator, and is not checked."""
    proxy = egress.proxy_url(config.endpoint or f"https://s3.{config.region}.amazonaws.com")
    options = ClientConfig(
        proxies={"http": proxy, "https": proxy} if proxy else {},  # and none of the environment
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    keys = {name: value.get_secret_value() for name, value in dict(secrets).items() if value is not None}
    session = boto3.Session(
        aws_access_key_id=keys.get("access_key_id"), aws_secret_access_key=keys.get("secret_access_key")
    )
    client = session.client("s3", region_name=config.region, endpoint_url=config.endpoint, config=options)
    return S3Destination(config, client)


def operator_only(config: Config, secrets: Secrets) -> str | None:
    """See `core.ports.streams`."""
    if config.endpoint is not None:
        return "must not have an endpoint: only `audit-log stream create` may name another server than Amazon's"
    if secrets.access_key_id is None:
        return "must have keys: only `audit-log stream create` may use the role of the service"
    return None


def _failure(code: str, status: int | None) -> DeliveryError:
    if code in _PASSING or status is None or status >= _SERVER_ERROR or status == _TOO_MANY:
        return DeliveryDelayedError("S3 does not take the object at the moment.", status)
    return MisconfiguredError("S3 refuses the object: check bucket, region, keys and the policy of the bucket.", status)
