"""Destinations and programs of other authors: verifiers of webhooks, a receiver of OTLP, a server of S3."""

import asyncio
import gzip
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings
from standardwebhooks import Webhook, WebhookVerificationError

from core.errors import MisconfiguredError
from core.ports.streams import Destination
from core.streams.destinations import http, otlp, s3, splunk
from core.streams.egress import Egress
from core.streams.formats.native import native
from tests.support import sqs
from tests.support.builders import event
from tests.support.node import node_modules
from tests.support.odd_events import odd_events
from tests.support.receiver import Received, Receiver, Reply, receiver
from tests.support.service import free_port
from tests.support.sites import LOOPBACK, STREAM_ID, batch
from tests.support.waiting import SECONDS

EVENTS = list(odd_events(40))
OLD, NEW, OTHER = (http.new_signing_secret() for _ in range(3))
VERIFY_BY_NODE = """
const { Webhook } = require("standardwebhooks");
const { secret, headers, body } = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
"""


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def webhook(endpoint: Receiver, *secrets: str, clock: float | None = None) -> Destination:
    config = http.Config.model_validate({"url": endpoint.url})
    secret = http.Secrets.model_validate({"signing_secrets": secrets})
    times = {} if clock is None else {"clock": lambda: clock}
    return http.HttpDestination(config, secret, Egress(LOOPBACK), **times)


def test_the_library_of_python_verifies_each_secret_of_a_rotation(endpoint: Receiver) -> None:
    webhook(endpoint, NEW, OLD).send(batch(EVENTS))
    (request,) = endpoint.requests
    for secret in (NEW, OLD):
        read = Webhook(secret).verify(request.body, request.headers)
        assert read["type"] == "audit-log.events"
        assert read["data"] == orjson.loads(orjson.dumps([native(each, "") for each in EVENTS]))


def test_the_library_of_python_refuses_what_was_not_signed(endpoint: Receiver) -> None:
    webhook(endpoint, NEW).send(batch(EVENTS))
    webhook(endpoint, NEW, clock=datetime(2026, 1, 1, tzinfo=UTC).timestamp()).send(batch(EVENTS))
    request, old = endpoint.requests
    altered = {**request.headers, "webhook-id": "another"}
    for secret, body, headers in (
        (OTHER, request.body, request.headers),
        (NEW, request.body + b" ", request.headers),
        (NEW, request.body, altered),
        (NEW, old.body, old.headers),  # sent at another time
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


def test_the_library_of_npm_verifies_each_secret_of_a_rotation(endpoint: Receiver) -> None:
    webhook(endpoint, NEW, OLD).send(batch(EVENTS[:5]))
    (request,) = endpoint.requests
    for secret, is_right in ((NEW, True), (OLD, True), (OTHER, False)):
        done = _verified_by_node(secret, request)
        assert (done.returncode == 0) is is_right, done.stderr
        if is_right:
            ids = [each["event_id"] for each in json.loads(done.stdout)["data"]]
            assert ids == [each.event_id for each in EVENTS[:5]]


def _verified_by_node(secret: str, request: Received) -> "subprocess.CompletedProcess[str]":
    given = json.dumps({"secret": secret, "headers": request.headers, "body": request.body.decode()})
    environment = {"NODE_PATH": str(node_modules()), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = ["node", "--eval", VERIFY_BY_NODE]
    return subprocess.run(
        command, input=given, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )


def test_a_receiver_of_otlp_takes_every_event_with_all_of_its_data() -> None:
    records = asyncio.run(_received_by_oteltap())
    by_id = {_attributes(record)["log.record.uid"]: record for record in records}
    assert by_id.keys() == {each.event_id for each in EVENTS}
    for each in EVENTS:
        record = by_id[each.event_id]
        assert _json(record.body) == orjson.loads(each.to_json())
        assert _attributes(record)["audit_log.customer_id"] == each.customer_id
        assert record.event_name == each.event_type
        assert record.observed_time_unix_nano == int(each.received_at.timestamp() * 1000) * 1_000_000
        expected = each.timestamp_utc * 10**9
        assert record.time_unix_nano == (expected if expected < 2**64 else 0)


async def _received_by_oteltap() -> list[LogRecord]:
    port = free_port()
    settings = OtelTapHttpProtobufReceiverSettings(http_port=port, listen_on_all_interfaces=False)
    config = otlp.Config.model_validate({"url": f"http://127.0.0.1:{port}/v1/logs", "gzip": False})
    destination = otlp.open_destination(STREAM_ID, config, otlp.Secrets(), Egress(LOOPBACK))
    async with OtelTapHttpProtobufReceiver(settings) as tap:
        logs = tap.stream_logs()
        received: list[LogRecord] = []

        async def collect() -> None:
            async for record in logs:
                received.append(record)
                if len(received) == len(EVENTS):
                    return

        collecting = asyncio.create_task(collect())
        await asyncio.sleep(0)
        await asyncio.to_thread(destination.send, batch(EVENTS))
        await asyncio.wait_for(collecting, SECONDS)
        return received


def test_records_that_a_receiver_of_otlp_rejects_are_counted(endpoint: Receiver) -> None:
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 2
    answer.partial_success.error_message = "canary-of-the-other-side"
    destination = otlp.open_destination(
        STREAM_ID, otlp.Config.model_validate({"url": endpoint.url}), otlp.Secrets(), Egress(LOOPBACK)
    )
    for body, refused in ((answer.SerializeToString(), 2), (b"", 0), (b"{}", 0), (b"\xff" * 9, 0)):
        _answer(endpoint, body)
        receipt = destination.send(batch(EVENTS[:3]))
        assert (receipt.status, receipt.refused) == (200, refused)
        assert "canary" not in repr(receipt)


def _answer(endpoint: Receiver, body: bytes) -> None:
    endpoint.reply = lambda _request: Reply(200, body)


def test_data_that_is_nested_deeper_than_protobuf_is_read_arrives_as_json(endpoint: Receiver) -> None:
    deep: Any = "leaf"
    for _ in range(60):
        deep = {"a": [deep]}
    destination = otlp.open_destination(
        STREAM_ID, otlp.Config.model_validate({"url": endpoint.url, "gzip": False}), otlp.Secrets(), Egress(LOOPBACK)
    )
    destination.send(batch([event(1, event_data=deep)]))

    read = ExportLogsServiceRequest.FromString(endpoint.requests[0].body)
    value = _json(read.resource_logs[0].scope_logs[0].log_records[0].body)["event_data"]
    while not isinstance(value, str):
        (value,) = value.values() if isinstance(value, dict) else value
    assert orjson.loads(value)
    assert value.startswith(('{"a":[{"a":[', '[{"a":[{"a":'))


def test_a_request_to_splunk_has_the_documented_form(endpoint: Receiver) -> None:
    endpoint.reply = lambda _request: Reply(200, b'{"text":"Success","code":0}')
    shared = event(
        1, event_type="document.shared", customer_id=42, timestamp_utc=1_767_225_600, event_data={"actor": {"id": "ü"}}
    )
    config = {"url": endpoint.url, "index": "main", "host": "audit.example.org"}
    destination = splunk.open_destination(
        STREAM_ID,
        splunk.Config.model_validate(config),
        splunk.Secrets.model_validate({"token": "B5A79AAD-D822-46CC-80D1-819F80D7BFB0"}),
        Egress(LOOPBACK),
    )
    destination.send(batch([shared, shared]))
    (request,) = endpoint.requests
    assert request.headers["authorization"] == "Splunk B5A79AAD-D822-46CC-80D1-819F80D7BFB0"
    assert request.headers["content-encoding"] == "gzip"
    one = (
        '{"time":1767225600,"index":"main","host":"audit.example.org","source":"audit-log","sourcetype":"audit_log",'
        '"event":{"event_id":"00000000-0000-7000-8000-000000000001","event_type":"document.shared","customer_id":42,'
        '"timestamp_utc":1767225600,"event_data":{"actor":{"id":"ü"}},"received_at":"'
    )
    body = gzip.decompress(request.body).decode()
    assert body.startswith(one)
    assert body.count(one) == 2
    assert body.endswith('"},"fields":{"event_id":"00000000-0000-7000-8000-000000000001"}}')


@pytest.mark.parametrize("code", [7, 10, 11])
def test_a_wrong_setting_of_splunk_is_not_taken_for_a_wrong_event(endpoint: Receiver, code: int) -> None:
    endpoint.reply = lambda _request: Reply(400, b'{"text":"canary","code":%d}' % code)
    destination = splunk.open_destination(
        STREAM_ID,
        splunk.Config.model_validate({"url": endpoint.url}),
        splunk.Secrets.model_validate({"token": "t"}),
        Egress(LOOPBACK),
    )
    with pytest.raises(MisconfiguredError) as refused:
        destination.send(batch(EVENTS[:1]))
    assert "canary" not in str(refused.value)


@pytest.fixture
def bucket() -> Iterator[str]:
    name = "audit-log-streams"
    _s3().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield name
    for each in _s3().list_objects_v2(Bucket=name).get("Contents", []):
        _s3().delete_object(Bucket=name, Key=each["Key"])
    _s3().delete_bucket(Bucket=name)


@pytest.mark.parametrize("object_lock", [False, True])
def test_a_server_of_s3_takes_objects_that_a_repeat_replaces_or_keeps(bucket: str, object_lock: bool) -> None:  # noqa: FBT001 - a parameter of the test
    destination = _s3_destination(bucket, object_lock=object_lock)
    for _ in range(2):
        destination.send(batch(EVENTS))
    destination.send(batch(EVENTS[:1], is_test=True))
    destination.close()

    keys = [each["Key"] for each in _s3().list_objects_v2(Bucket=bucket)["Contents"]]
    first = EVENTS[0]
    key = f"audit/prod/{first.received_at:%Y/%m/%d/%H}/{first.event_id}-40.ndjson.gz"
    assert sorted(keys) == sorted([key, f"audit/prod/test/{first.event_id}-1.ndjson.gz"])
    body = _s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    assert [orjson.loads(line) for line in gzip.decompress(body).splitlines()] == [
        orjson.loads(each.to_json()) for each in EVENTS
    ]


def test_a_bucket_that_does_not_exist_is_a_wrong_setting() -> None:
    with pytest.raises(MisconfiguredError):
        _s3_destination("no-such-bucket").send(batch(EVENTS[:1]))


def _s3() -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("s3", endpoint_url=sqs.server(), region_name="eu-central-1", **keys)


def _s3_destination(bucket: str, **settings: Any) -> Destination:
    places = {"bucket": bucket, "region": "eu-central-1", "prefix": "audit/prod/", "endpoint": sqs.server()}
    secrets = s3.Secrets.model_validate({"access_key_id": "test", "secret_access_key": "test"})
    return s3.open_destination(STREAM_ID, s3.Config.model_validate({**places, **settings}), secrets, Egress())


def _attributes(record: LogRecord) -> dict[str, Any]:
    return {each.key: _json(each.value) for each in record.attributes}


def _json(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {each.key: _json(each.value) for each in value.kvlist_value.values}
    if kind == "array_value":
        return [_json(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)
