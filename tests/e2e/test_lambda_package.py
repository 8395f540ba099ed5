"""The package for Lambda: nothing is missing in it, nothing is too much, and its handlers work with it alone."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import boto3
import pytest
from botocore.config import Config
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from standardwebhooks import Webhook

from core.auth.tokens import ERASE, MANAGE_STREAMS, READ, WRITE
from functions.routes import ROUTES
from infra.build import PACKAGE
from infra.errors import BuildError
from infra.inspection import inspect, pins
from tests.conftest import SECRET
from tests.support import sqs
from tests.support.builders import new_event, proxy_event
from tests.support.databases import POSTGRESQL, throwaway
from tests.support.lambda_package import LambdaProcess, built
from tests.support.receiver import Received, receiver

REGION = "us-east-1"
KEY = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests"}  # the server of the tests takes any


@pytest.fixture(scope="module")
def package() -> Path:
    return built() / PACKAGE


@pytest.fixture(scope="module")
def in_lambda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaProcess]:
    """With PostgreSQL, and a server that speaks like SQS, Secrets Manager and CloudWatch."""
    server = sqs.server()
    secrets = boto3.client(
        "secretsmanager", endpoint_url=server, region_name=REGION, config=Config(retries={"total_max_attempts": 1}),
        aws_access_key_id="tests", aws_secret_access_key="tests",
    )  # fmt: skip
    with throwaway(POSTGRESQL) as database, sqs.queue_url() as queue:
        name = f"tests/{queue.rpartition('/')[2]}"
        arn = secrets.create_secret(Name=name, SecretString=SECRET)["ARN"]
        key_arn = secrets.create_secret(Name=f"{name}-streams", SecretString=SECRET[::-1])["ARN"]
        environ = {
            **KEY,
            "AWS_LAMBDA_FUNCTION_NAME": "tests",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": server,
            "STAGE": "tests",
            "AUDIT_LOG_AUTH": "clients",
            "AUDIT_LOG_DATABASE_URL": database.replace("+psycopg", ""),
            "AUDIT_LOG_JWT_SECRET": arn,
            "AUDIT_LOG_QUEUE_URL": queue,
            "AUDIT_LOG_SECRETS_KEY": key_arn,
            "AUDIT_LOG_STREAMS_ALLOW": "127.0.0.0/8",
        }
        with LambdaProcess(tmp_path_factory.mktemp("lambda"), environ) as process:
            process.call("app.migrate", {})
            yield process


@pytest.fixture(scope="module")
def token(in_lambda: LambdaProcess) -> str:
    return token_of(in_lambda, "tests", READ, WRITE)


def gateway(process: LambdaProcess, method: str, resource: str, **parts: Any) -> dict[str, Any]:
    """The answer to a request, in the form in which API Gateway sends it to Chalice's one function."""
    path = resource.format(**parts.get("path_parameters", {}))
    event = proxy_event(method, path, stage_path=f"/dev{path}", **parts)
    event["resource"] = resource
    event["requestContext"] |= {"resourcePath": resource, "httpMethod": method, "identity": {"sourceIp": "192.0.2.7"}}
    answer: dict[str, Any] = process.call("app.app", event)
    return answer


def token_of(process: LambdaProcess, name: str, *scopes: str) -> str:
    client = process.call("app.administer_clients", {"act": "create", "name": name, "scopes": scopes})
    basic = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    answer = gateway(process, "GET", "/access-token", headers={"Authorization": f"Basic {basic}"})
    assert answer["statusCode"] == 200, process.log
    token: str = json.loads(answer["body"])["token"]
    return token


def sqs_event(queue: str) -> dict[str, Any]:
    """What Lambda's event source makes of the messages that wait: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    url = queue.removeprefix("sqs+")
    messages = sqs.client().receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def test_an_event_goes_all_its_way_with_nothing_but_the_package(in_lambda: LambdaProcess, token: str) -> None:
    posted = gateway(in_lambda, "POST", "/event", body=new_event(), token=token)
    assert posted["statusCode"] == 202, in_lambda.log
    event_id = json.loads(posted["body"])["event_id"]
    assert posted["headers"]["Location"] == f"/dev/event/{event_id}"

    batch = sqs_event(in_lambda.environ["AUDIT_LOG_QUEUE_URL"])
    broken = {**batch["Records"][0], "messageId": "broken", "body": "{}"}
    batch["Records"].append(broken)
    failed = in_lambda.call("app.consume_events", batch)
    assert failed == {"batchItemFailures": [{"itemIdentifier": "broken"}]}

    found = gateway(in_lambda, "GET", "/event", query=[("event_type", "user.login")], token=token)
    assert [event["event_id"] for event in json.loads(found["body"])["events"]] == [event_id]

    counted = {name: line[name] for line in in_lambda.log for name in line if name.startswith("Events")}
    assert counted == {"EventsAccepted": 1, "EventsStored": 1, "EventsRefused": 1}
    assert next(line for line in in_lambda.log if "EventsAccepted" in line)["event_ids"] == [event_id]


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=lambda route: route.path)
def test_every_route_that_is_read_is_served(in_lambda: LambdaProcess, token: str, route: Any) -> None:
    file = "viewer.css" if route.path.startswith("/viewer/") else "docs.js"
    parameters = {"event_id": "018f6b2e-7c1a-7d3e-9f00-0123456789ab", "file": file, "stream_id": "stream-1"}
    parameters |= {"rule_id": "rule-1", "level": "0", "n1": "x001", "n2": "x000", "n3": "x000", "n4": "000"}
    named = {name: value for name, value in parameters.items() if f"{{{name}}}" in route.path}
    answer = gateway(in_lambda, "GET", route.path, path_parameters=named, token=token)
    # Here no checkpoint is signed, for want of KMS, so that there are no proofs.
    no_proofs = {other.path: 404 for other in ROUTES if "/proof" in other.path or "/ledger/" in other.path}
    expected = {"/event/{event_id}": 404, "/access-token": 401, **no_proofs, "/ledger/consistency": 422}
    expected |= {other.path: 404 for other in ROUTES if other.path.startswith("/session/")}  # people do not sign in
    expected |= {other.path: 403 for other in ROUTES if other.scope == MANAGE_STREAMS}
    assert answer["statusCode"] == expected.get(route.path, 200), in_lambda.log


def test_events_are_erased_by_a_client_that_may(in_lambda: LambdaProcess) -> None:
    token = token_of(in_lambda, "eraser", ERASE)
    body = {"customer_id": 42, "reason": "asked to"}
    answer = gateway(in_lambda, "POST", "/erasure", body=body, token=token)
    assert answer["statusCode"] == 200, in_lambda.log
    assert json.loads(answer["body"])["complete"]


def sent_in_lambda(in_lambda: LambdaProcess, kind: str) -> tuple[dict[str, Any], Received]:
    """A new stream, and the request of its test."""
    token = token_of(in_lambda, kind, MANAGE_STREAMS)
    with receiver() as endpoint:
        body = {"name": kind, "destination": {"kind": kind, "url": endpoint.url}}
        created = gateway(in_lambda, "POST", "/stream", body=body, token=token)
        assert created["statusCode"] == 201, in_lambda.log
        stream = json.loads(created["body"])
        parameters = {"stream_id": stream["stream_id"]}
        tested = gateway(in_lambda, "POST", "/stream/{stream_id}/test", path_parameters=parameters, token=token)
    assert json.loads(tested["body"])["delivered"], in_lambda.log
    (sent,) = endpoint.requests
    return stream, sent


def test_a_stream_with_secrets_signs_what_it_sends(in_lambda: LambdaProcess) -> None:
    stream, sent = sent_in_lambda(in_lambda, "http")
    Webhook(stream["signing_secret"]).verify(sent.body, sent.headers)


def test_a_stream_to_a_collector_needs_nothing_but_the_package(in_lambda: LambdaProcess) -> None:
    _, sent = sent_in_lambda(in_lambda, "otlp")
    request = ExportLogsServiceRequest.FromString(gzip.decompress(sent.body))
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    assert record.event_name == "audit-log.stream.test"


def test_the_library_that_encrypts_is_imported_with_the_first_secret_of_a_stream(
    in_lambda: LambdaProcess, tmp_path: Path
) -> None:
    with LambdaProcess(tmp_path, in_lambda.environ) as process:
        token = token_of(process, "cold", WRITE, MANAGE_STREAMS)
        assert gateway(process, "POST", "/event", body=new_event(), token=token)["statusCode"] == 202, process.log
        assert "cryptography" not in process.modules
        body = {"name": "first secret", "destination": {"kind": "http", "url": "https://siem.example.org/"}}
        assert gateway(process, "POST", "/stream", body=body, token=token)["statusCode"] == 201, process.log
        assert "cryptography" in process.modules


def test_partitions_are_made_once(in_lambda: LambdaProcess) -> None:
    assert len(in_lambda.call("app.create_partitions", {})["created"]) == 4
    assert in_lambda.call("app.create_partitions", {}) == {"created": []}


def test_stored_events_get_an_index_once(in_lambda: LambdaProcess) -> None:
    assert in_lambda.call("app.integrate_ledger", {}).keys() == {"integrated", "signed"}
    assert in_lambda.call("app.integrate_ledger", {}) == {"integrated": 0, "signed": None}


def test_the_ledger_is_checked(in_lambda: LambdaProcess) -> None:
    assert in_lambda.call("app.check_ledger", {})["whole"]
    assert [line["LedgerFindings"] for line in in_lambda.log if "LedgerFindings" in line] == [0]


def test_retention_without_a_rule_deletes_nothing(in_lambda: LambdaProcess) -> None:
    assert in_lambda.call("app.apply_retention", {}) == {"deleted": 0, "kept_by_holds": {}}


def test_the_books_are_compared(in_lambda: LambdaProcess) -> None:
    result = in_lambda.call("app.reconcile", {})
    assert result.keys() == {"accepted", "stored", "repeated", "dead_lettered", "in_flight", "dropped", "difference"}
    assert [line["EventsUnaccounted"] for line in in_lambda.log if "EventsUnaccounted" in line] == [0]


def test_the_package_is_whole(package: Path) -> None:
    assert inspect(package).zipped > 0


def test_a_package_that_is_not_right_is_refused(package: Path, tmp_path: Path) -> None:
    removed = ("functions/token.py", "0001_events.py", f"orjson-{pins()['orjson']}.dist-info/METADATA")
    added = ("local_runner/server.py", "uvicorn/__init__.py", "tests/conftest.py", "token.py")
    copy = tmp_path / "changed.zip"
    with ZipFile(package) as source, ZipFile(copy, "w") as target:
        for member in source.infolist():
            if not member.filename.endswith(removed):
                target.writestr(member, source.read(member))
        for name in added:
            target.writestr(name, "")
        target.writestr("numpy-9.9.dist-info/WHEEL", "Tag: cp311-cp311-manylinux_2_28_x86_64\n")
    with pytest.raises(BuildError, match="cannot be deployed") as refusal:
        inspect(copy)
    complaints = {line.strip() for line in str(refusal.value).splitlines()[1:] if "bytes" not in line}
    assert complaints == {
        "missing: functions/token.py",
        "missing: core/stores/migrations/versions/0001_events.py",
        f"missing: {removed[2]}",
        *(f"does not belong here: {name.partition('/')[0]}" for name in added),
        "does not belong here: numpy-9.9.dist-info",
        "not of the lock file: numpy-9.9.dist-info",
        "not for manylinux2014_x86_64: numpy-9.9.dist-info (manylinux_2_28_x86_64)",
    }
