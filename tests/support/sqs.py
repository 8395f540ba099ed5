"""An SQS-compatible server for tests, and queues on it for one test.

It is ministack, which shares no code with this project or with boto3's authors. It pins botocore, so it is installed
into a separate virtual environment, once, from `tests/support/sqs_server.txt`.
"""

import atexit
import json
import secrets
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore import UNSIGNED
from botocore.config import Config

from core.queues.sqs import SQSDeadLetters, SQSPublisher, SQSSource
from tests.support.builders import event
from tests.support.pinned import install_once
from tests.support.queues import MAX_RECEIVES, QueueUnderTest, broker_queue
from tests.support.service import free_port, get
from tests.support.waiting import SECONDS, until

PARTS = [SQSPublisher, SQSSource, SQSDeadLetters]
ACCOUNT = "000000000000"

_ROOT = Path(__file__).parents[2]
_PINS = Path(__file__).with_name("sqs_server.txt")
_HOME = _ROOT / ".cache" / "sqs-server"


@cache
def server() -> str:
    """Start the server, which ends with this process, and return its URL."""
    port = free_port()
    with (_installed() / f"{port}.log").open("w") as log:
        process = subprocess.Popen(
            [_HOME / "bin" / "ministack"],
            env={"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "HOME": str(_HOME)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    atexit.register(process.wait)
    atexit.register(process.terminate)
    url = f"http://127.0.0.1:{port}"
    until(lambda: _answers(url) or process.poll() is not None, f"a start: see {log.name}")
    assert process.poll() is None, f"it ended: see {log.name}"
    return url


def _answers(url: str) -> bool:
    try:
        return get(f"{url}/_ministack/health").is_success
    except httpx.TransportError:
        return False


def _installed() -> Path:
    install_once(_HOME, _PINS, _installer, "The SQS-compatible server")
    return _HOME


def _installer() -> list[str]:
    venv.create(_HOME, with_pip=True)
    return [str(_HOME / "bin" / "pip"), "install"]


@cache
def client() -> Any:
    """The plain API, for creating queues and for assertions."""
    return boto3.client(
        "sqs", endpoint_url=server(), region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )


@contextmanager
def queue_url(**attributes: str) -> Iterator[str]:
    """The URL of a new queue with a dead-letter queue; `attributes` are those of SQS."""
    name = f"audit-log-test-{secrets.token_hex(6)}"
    dead = client().create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead_arn = client().get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": MAX_RECEIVES})
    queue = client().create_queue(QueueName=name, Attributes={"RedrivePolicy": policy, **attributes})["QueueUrl"]
    yield f"sqs+{server()}/{ACCOUNT}/{name}"
    client().delete_queue(QueueUrl=queue)
    client().delete_queue(QueueUrl=dead)


@contextmanager
def sqs_queue() -> Iterator[QueueUnderTest]:
    with (
        queue_url() as url,
        broker_queue(SQSPublisher(url, timeout=SECONDS), SQSDeadLetters(url), lambda: SQSSource(url)) as queue,
    ):
        yield queue


def use(part: Any) -> None:
    """Use a part of the adapter in a way that makes it connect."""
    if isinstance(part, SQSPublisher):
        part.publish([event(1)])
    elif isinstance(part, SQSSource):
        part.receive(1, wait=0)
    else:
        part.dead_letters(1)


def through(gateway: str, url: str) -> str:
    """Replace the server in the URL of a queue by a proxy at `gateway`."""
    return url.replace(server(), gateway)
