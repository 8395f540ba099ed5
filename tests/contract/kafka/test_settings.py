"""Parsing of queue URLs, and secrets that no error or log record may repeat."""

import traceback
from contextlib import closing
from typing import Any

import pytest

from core.errors import InvalidSettingsError, QueueUnavailableError
from core.queues.kafka.address import KafkaAddress
from tests.support.kafka import PARTS, MockCluster, use_until_it_fails


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("http://host/topic", "kafka://host:9092"),
        ("kafka://user:a-password@host/topic", "sasl.password"),
        ("kafka:///topic", "kafka://host:9092"),
        ("kafka://host:99999/topic", "kafka://host:9092"),
        ("kafka://host:9092,/topic", "kafka://host:9092"),
        ("kafka://[host/topic", "kafka://host:9092"),
        ("kafka://host/a/b", "topic"),
        ("kafka://host/..", "topic"),
        (f"kafka://host/{'x' * 245}", "topic"),
        ("kafka://host/topic?a-password", "%XX"),
        ("kafka://host/topic?no.such.setting=a-password", "no.such.setting"),
        ("kafka://host/topic?socket.timeout.ms=a-password", "socket.timeout.ms"),
        ("kafka://host/topic?security.protocol=a-password", "security.protocol"),
        ("kafka://host/topic?security.protocol=sasl_plaintext&sasl.mechanisms=a-password", "sasl.mechanisms"),
        ("kafka://host/topic?security.protocol=ssl&ssl.ca.location=/a-password", "ssl.ca.location"),
        ("kafka://host/topic?sasl.password=x&a-password=", "%26"),
        ("kafka://host/topic?error_cb=a-password", "%26"),
        ("kafka://host/topic?acks=0", "acks"),
        ("kafka://host/topic?enable.auto.commit=true", "enable.auto.commit"),
        ("kafka://host/topic?plugin.library.paths=a-password", "plugin.library.paths"),
        ("kafka://host/topic?group.id=", "group.id"),
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_a_url_that_is_wrong_is_refused_without_its_values(part: Any, broken: str, named: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_QUEUE_URL") as caught:
        part(broken)

    assert named in str(caught.value)
    assert "a-password" not in everything_said(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_no_error_and_no_log_line_has_the_password(
    cluster: MockCluster, part: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    credentials = "security.protocol=sasl_plaintext&sasl.mechanisms=PLAIN&sasl.username=u&sasl.password=a-password"
    with closing(part(f"kafka://{cluster.servers}/topic?{credentials}&debug=all")) as opened:
        with pytest.raises(QueueUnavailableError) as caught:
            use_until_it_fails(opened)
        assert "a-password" not in repr(opened) + repr(vars(opened))

    assert "a-password" not in everything_said(caught.value)
    assert caplog.text
    assert "a-password" not in caplog.text


def test_the_parts_of_a_url_and_what_they_are_by_default() -> None:
    address = KafkaAddress.parse("kafka://one:9092,two")
    assert (address.servers, address.topic, address.dead_letters, address.group, address.redrive_group) == (
        "one:9092,two",
        "audit-log.events",
        "audit-log.events.dead",
        "audit-log",
        "audit-log.redrive",
    )
    other = KafkaAddress.parse("kafka://[::1]:9092/other?group.id=mine&linger.ms=20")
    assert (other.topic, other.group, other.producer_settings(5)["linger.ms"]) == ("other", "mine", "20")


def everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.__cause__) + repr(error.__context__)
