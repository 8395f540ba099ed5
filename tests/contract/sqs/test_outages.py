"""Outages of SQS, missing settings, and secrets that no error or log record may repeat."""

import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event as Flag
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.errors import InvalidSettingsError, QueueUnavailableError
from core.queues.sqs import SQSPublisher, SQSSource
from tests.support.builders import event
from tests.support.service import free_port
from tests.support.sqs import ACCOUNT, PARTS, server, through, use
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    target = urlsplit(server())
    with closing(TcpProxy((str(target.hostname), int(target.port or 0)))) as proxy:
        yield proxy


@pytest.fixture
def proxied(proxy: TcpProxy, url: str) -> str:
    return through(f"http://127.0.0.1:{proxy.port}", url)


@pytest.mark.parametrize("part", PARTS)
def test_a_server_that_is_away_is_an_error_of_ours(part: Any) -> None:
    url = f"sqs+http://127.0.0.1:{free_port()}/{ACCOUNT}/queue"
    with closing(part(url)) as opened, pytest.raises(QueueUnavailableError, match="at the moment"):
        use(opened)


def test_a_server_that_does_not_answer_costs_no_more_than_its_attempts(proxied: str, proxy: TcpProxy) -> None:
    with closing(SQSPublisher(proxied, timeout=0.2)) as publisher:
        publisher.publish([event(1)])
        proxy.stall()
        started = time.monotonic()

        with pytest.raises(QueueUnavailableError):
            publisher.publish([event(2)])

        assert time.monotonic() - started < 45  # three attempts with pauses; by default, one may take 60 s
        proxy.cut()


def test_nothing_that_was_acknowledged_is_lost_when_connections_break(
    proxied: str, proxy: TcpProxy, source: SQSSource
) -> None:
    acknowledged: set[str] = set()
    stop = Flag()

    def publish(number: int) -> None:
        if not stop.is_set():
            publisher.publish([event(number)])
            acknowledged.add(event(number).model_dump_json())

    with closing(SQSPublisher(proxied)) as publisher, ThreadPoolExecutor(4) as threads:
        publishing = [threads.submit(publish, number) for number in range(100)]
        for _ in range(2):
            time.sleep(0.05)
            proxy.cut()
            proxy.restore()
        failures = [each.exception() for each in publishing]

    assert {type(failure) for failure in failures} <= {type(None), QueueUnavailableError}
    received: set[str] = set()
    while messages := source.receive(1000, wait=0):
        received |= {message.body for message in messages}
    assert len(acknowledged) > 50
    assert acknowledged <= received


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_closed_says_so(url: str, part: Any) -> None:
    opened = part(url)
    use(opened)

    opened.close()
    opened.close()

    with pytest.raises(QueueUnavailableError, match="shutting down"):
        use(opened)


def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    url = f"sqs://sqs.eu-central-1.localhost:{free_port()}/{ACCOUNT}/queue"
    with closing(SQSPublisher(url)) as publisher, pytest.raises(QueueUnavailableError, match="no AWS credentials"):
        publisher.publish([event(1)])


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    url = f"sqs://localhost:{free_port()}/{ACCOUNT}/queue"
    with closing(SQSPublisher(url)) as publisher, pytest.raises(InvalidSettingsError, match="set AWS_REGION"):
        publisher.publish([event(1)])


def test_no_error_and_no_log_line_has_a_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-word")
    caplog.set_level("INFO")  # at DEBUG botocore logs requests with their signatures, but not the keys
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    url = f"sqs://127.0.0.1:{free_port()}/{ACCOUNT}/queue"
    with closing(SQSPublisher(url)) as publisher, pytest.raises(QueueUnavailableError) as caught:
        publisher.publish([event(1)])

    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "hidden-word" not in said
    assert "user.login" not in said
