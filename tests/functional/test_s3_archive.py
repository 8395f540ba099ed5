"""An archive in S3, from retention to `audit-log verify` and `audit-log send`, with an S3-compatible server."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from core.aws.event_archive import S3Archive
from core.errors import ArchiveUnavailableError
from core.settings import Settings
from local_runner.cli.main import app
from local_runner.pipeline import Pipeline
from tests.support import sqs
from tests.support.builders import event
from tests.support.pipelines import start_pipeline
from tests.support.service import Service, environment
from tests.support.waiting import until

BUCKET = "audit-log-archive"
OLD = 86_400 * 365


@pytest.fixture
def aws() -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": sqs.server(), "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
    }  # fmt: skip


@pytest.fixture
def s3(aws: dict[str, str]) -> Any:
    client = boto3.client(
        "s3", endpoint_url=aws["AWS_ENDPOINT_URL"], region_name=aws["AWS_DEFAULT_REGION"],
        aws_access_key_id="tests", aws_secret_access_key="tests",
    )  # fmt: skip
    location = {"LocationConstraint": aws["AWS_DEFAULT_REGION"]}
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):  # by the test before
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    return client


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """A service with five events, the first three of which are old; all are under a signed checkpoint."""
    started = start_pipeline(Settings(data_dir=tmp_path / "data", ledger_seconds=1))
    now = int(time.time())
    started.services.acceptance.publish(
        [event(number, timestamp_utc=now - (OLD if number < 3 else 0)) for number in range(5)]
    )
    until(lambda: started.services.checks["signing"]().get("signed") == 5)
    yield started
    started.close()


def test_an_archive_in_s3_is_verified_and_imported_again(
    pipeline: Pipeline, s3: Any, aws: dict[str, str], tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_bytes(pipeline.services.proofs.policy())
    settings = environment(pipeline.services.settings.data_dir) | aws

    def run(*arguments: object) -> str:
        ended = CliRunner().invoke(app, [*map(str, arguments)], env=settings)
        assert ended.exit_code == 0, f"{ended.output}{ended.exception}"
        return ended.output

    run("retention", "set", "--keep-days", 300)
    run("retention", "apply", "--yes", "--archive", f"s3://{BUCKET}/audit/2026")
    assert [number for number in range(5) if pipeline.services.reader.get(event(number).event_id)] == [3, 4]
    [stored] = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert stored["Key"].startswith("audit/2026/events-")
    file = tmp_path / "archive.ndjson.gz"
    file.write_bytes(s3.get_object(Bucket=BUCKET, Key=stored["Key"])["Body"].read())
    assert run("verify", "--policy", policy, file) == f"PROVEN {file}: 3 events\n"
    with Service.start(tmp_path / "other") as other:
        run("send", file, "--url", other.url)
        with other.client() as http:
            until(lambda: http.get("/event", params={"event_type": event(0).event_type}).json()["count"] == 3)


def test_events_stay_if_the_bucket_is_not_there(pipeline: Pipeline, s3: Any, aws: dict[str, str]) -> None:
    settings = environment(pipeline.services.settings.data_dir) | aws
    CliRunner().invoke(app, ["retention", "set", "--keep-days", "300"], env=settings)
    for target, reason in (("s3://missing/x", "are not deleted"), ("s3://", "has no bucket")):
        ended = CliRunner().invoke(app, ["retention", "apply", "--yes", "--archive", target], env=settings)
        assert (ended.exit_code, reason in str(ended.exception)) == (1, True), ended.exception
    with pytest.raises(ArchiveUnavailableError, match="not deleted"):
        S3Archive("s3://missing", ".gz", s3).append(b"x")
    assert all(pipeline.services.reader.get(event(number).event_id) for number in range(5))
