"""Passwords in URLs never show in errors and log records."""

import traceback
from contextlib import closing
from typing import Any

import pytest

from core.errors import AuditLogError, InvalidSettingsError, QueueUnavailableError
from core.queues.rabbitmq.address import RabbitMQAddress
from tests.support.rabbitmq import HOST, PARTS, PORT, use


@pytest.mark.parametrize(
    "broken",
    [
        "http://user:a-password@127.0.0.1/",
        "amqp://user:a-password@:5672/",
        "amqp://user:a-password@host:port/",
        "amqp://user:a-password@[host/",
        "amqp://user:a-password@host:99999/",
        "amqp://user:a-password@host/?queue=",
        "amqp://user:a-password@host/?queue=amq.events",
        f"amqp://user:a-password@host/?queue={'x' * 251}",
        "amqp://user:a-password@host/?max_length=0",
        "amqp://user:a-password@host/?max_length=many",
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_a_url_that_is_wrong_is_refused_without_its_password(part: Any, broken: str) -> None:
    with pytest.raises(InvalidSettingsError, match="AUDIT_LOG_QUEUE_URL") as caught:
        part(broken)

    assert "a-password" not in everything_said(caught.value)


@pytest.mark.parametrize("host", [f"{HOST}:{PORT}", f"{HOST}:1", "host.invalid"])
@pytest.mark.parametrize("part", PARTS)
def test_no_error_and_no_log_line_has_the_password(part: Any, host: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with closing(part(f"amqp://nobody:a-password@{host}/?queue=audit-log.test.never")) as opened:
        with pytest.raises(QueueUnavailableError) as caught:
            use(opened)
        assert "a-password" not in repr(opened)

    assert "a-password" not in everything_said(caught.value)
    assert "a-password" not in caplog.text


def everything_said(error: AuditLogError) -> str:
    return (
        "".join(traceback.format_exception(error))
        + repr(error.__cause__)
        + repr(RabbitMQAddress.parse("amqp://u:p@h/"))
    )
