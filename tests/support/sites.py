"""The other sides of destinations: they keep the batches that arrive, and answer as a test asks."""

import gzip
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from botocore.exceptions import ClientError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from core.domain.models import Event
from core.ports.streams import Batch, BatchEntry, Destination
from core.streams.destinations.s3 import Config as S3Config
from core.streams.destinations.s3 import S3Destination
from core.streams.egress import Egress
from core.streams.formats.native import native
from core.streams.signatures import new_signing_secret
from tests.support.receiver import Received, Receiver, Reply, receiver

LOOPBACK = (ip_network("127.0.0.0/8"),)
STREAM_ID = "stream-0000000000000001"
SUCCESS = {"splunk": Reply(200, b'{"text":"Success","code":0}'), "otlp": Reply(), "http": Reply(204)}


class Arrival(NamedTuple):
    """A batch that the other side has taken: its id or name, and the ids of its events."""

    name: str
    event_ids: list[str]


class Site:
    """One destination and its other side. `secrets` are texts that must not be seen anywhere else."""

    def __init__(self, destination: Destination, secrets: Sequence[str], arrivals: Callable[[], list[Arrival]]) -> None:
        self.destination = destination
        self.secrets = secrets
        self.arrivals = arrivals

    def answer(self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Answer all further requests so."""
        raise NotImplementedError

    def recover(self) -> None:
        """Take everything again."""
        raise NotImplementedError


class HttpSite(Site):
    """A destination that sends by HTTP, and its receiver."""

    def __init__(self, kind: str, running: Receiver, config: dict[str, Any], secrets: dict[str, Any]) -> None:
        module = importlib.import_module(f"core.streams.destinations.{kind}")
        self.kind = kind
        self.receiver = running
        self.refuses: Callable[[str], bool] = lambda _event_id: False
        self._taken: list[Arrival] = []
        self.recover()
        destination = module.open_destination(
            STREAM_ID,
            module.Config(kind=kind, url=f"{running.url}/in?canary-of-url", **config),
            module.Secrets(**secrets),
            Egress(LOOPBACK),
        )
        super().__init__(destination, _texts(secrets), lambda: self._taken)

    def answer(self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.receiver.reply = lambda _request: Reply(status, body, tuple(headers))

    def recover(self) -> None:
        self.receiver.reply = self._take

    def _take(self, request: Received) -> Reply:
        ids = event_ids(self.kind, request)
        if any(map(self.refuses, ids)):
            return Reply(400, b"canary-of-the-other-side")
        self._taken.append(Arrival(request.headers.get("webhook-id", sha256(request.body).hexdigest()), ids))
        return SUCCESS[self.kind]


class FakeS3:
    """A bucket as boto3's client shows it: objects by their keys, and errors as a test asks."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failure: tuple[str, int] | None = None

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str | None = None, **_: Any) -> Any:  # noqa: N803, ARG002 - AWS's names
        if self.failure:
            raise s3_error(*self.failure)
        if IfNoneMatch == "*" and Key in self.objects:
            raise s3_error("PreconditionFailed", 412)
        self.objects[Key] = Body
        return {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def close(self) -> None:
        pass


class S3Site(Site):
    """A destination of kind `s3`, and a bucket with state."""

    def __init__(self, **config: Any) -> None:
        self.bucket = FakeS3()
        settings = S3Config(bucket="audit-log", region="eu-central-1", prefix="audit/prod", **config)
        super().__init__(S3Destination(settings, self.bucket), [], lambda: _files(self.bucket.objects))

    def answer(self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:  # noqa: ARG002 - of HTTP
        self.bucket.failure = ("AccessDenied" if status == 403 else "InternalError", status)

    def recover(self) -> None:
        self.bucket.failure = None


def s3_error(code: str, status: int) -> ClientError:
    details = {"Error": {"Code": code, "Message": "canary-of-the-other-side"}}
    return ClientError({**details, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@contextmanager
def site(name: str, tmp_path: Path) -> Iterator[Site]:
    """The site of a name of `SITES`."""
    if name == "s3":
        yield S3Site()
    elif name == "directory":
        module = importlib.import_module("core.streams.destinations.directory")
        opened = module.open_destination(STREAM_ID, module.Config(path=tmp_path), module.Secrets(), None)
        yield Site(opened, [], lambda: _files({str(path): path.read_bytes() for path in tmp_path.rglob("*.gz")}))
    else:
        kind, config, secrets = HTTP_SITES[name]
        with receiver() as running:
            yield HttpSite(kind, running, config, secrets)


HTTP_SITES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "webhook": (
        "http",
        {},
        {"headers": {"X-Key": "canary-header-1"}, "signing_secrets": [new_signing_secret(), new_signing_secret()]},
    ),
    "array": ("http", {"body": "array"}, {"headers": {"DD-API-KEY": "canary-header-2"}}),
    "lines": ("http", {"body": "lines"}, {"headers": {"Authorization": "Bearer canary-header-3"}}),
    "splunk": ("splunk", {"index": "main", "gzip": False}, {"token": "canary-token-4"}),
    "splunk-gzip": ("splunk", {}, {"token": "canary-token-5"}),
    "otlp": ("otlp", {"gzip": False}, {"headers": {"Authorization": "Bearer canary-header-6"}}),
    "otlp-gzip": ("otlp", {}, {}),
}
SITES = (*HTTP_SITES, "s3", "directory")


def batch(events: Sequence[Event], *, is_test: bool = False) -> Batch:
    """A batch of events in the native format."""
    return Batch(STREAM_ID, [BatchEntry(index, each, native(each, "")) for index, each in enumerate(events)], is_test)


def event_ids(kind: str, request: Received) -> list[str]:
    """The ids of the events in a request, read as a receiver of the kind does."""
    body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
    if kind == "splunk":
        return [each["event"]["event_id"] for each in _joined_objects(body.decode())]
    if kind == "otlp":
        (logs,) = ExportLogsServiceRequest.FromString(body).resource_logs
        (scope,) = logs.scope_logs
        return [
            next(each.value.string_value for each in record.attributes if each.key == "log.record.uid")
            for record in scope.log_records
        ]
    if request.headers["content-type"] == "application/x-ndjson":
        return [orjson.loads(line)["event_id"] for line in body.splitlines()]
    read = orjson.loads(body)
    return [each["event_id"] for each in (read if isinstance(read, list) else read["data"])]


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _joined_objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects without anything between them."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        yield value


def _files(files: dict[str, bytes]) -> list[Arrival]:
    return [
        Arrival(name, [orjson.loads(line)["event_id"] for line in gzip.decompress(body).splitlines()])
        for name, body in sorted(files.items())
    ]


def _texts(secrets: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for value in secrets.values():
        found += [value] if isinstance(value, str) else list(value.values() if isinstance(value, dict) else value)
    return [text.removeprefix("Bearer ") for text in found]
