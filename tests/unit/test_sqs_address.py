import pytest

from core.errors import InvalidSettingsError
from core.queues.sqs import SQSDeadLetters, SQSPublisher, SQSSource
from core.queues.sqs.address import SQSAddress


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs.ap-southeast-2.api.aws", "ap-southeast-2"),
        ("vpce-0abc-1def.sqs.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("queue.example.org", None),
        ("mysqs.eu-central-1.example.org", None),
    ],
)
def test_a_queue_is_its_https_url_and_the_host_may_name_the_region(host: str, region: str | None) -> None:
    address = SQSAddress.parse(f"sqs://{host}/123456789012/audit-log_events")

    assert address.queue_url == f"https://{host}/123456789012/audit-log_events"
    assert (address.endpoint, address.name, address.region) == (f"https://{host}", "audit-log_events", region)
    assert address.is_signed


def test_a_local_server_gets_no_signed_requests() -> None:
    address = SQSAddress.parse("sqs+http://127.0.0.1:9324/000000000000/events")

    assert address.queue_url == "http://127.0.0.1:9324/000000000000/events"
    assert (address.region, address.is_signed) == (None, False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/hidden-word", "use, for example, sqs://"),
        ("sqs:///123456789012/hidden-word", "use, for example, sqs://"),
        ("sqs://host:port/123456789012/hidden-word", "use, for example, sqs://"),
        ("sqs://[host/123456789012/hidden-word", "use, for example, sqs://"),
        ("sqs://host:0/123456789012/hidden-word", "use, for example, sqs://"),
        ("sqs://key:hidden-word@sqs.eu-central-1.amazonaws.com/123456789012/events", "credentials"),
        ("sqs://sqs.eu-central-1.amazonaws.com/123456789012/events?secret=hidden-word", "credentials"),
        ("sqs://sqs.eu-central-1.amazonaws.com/123456789012/events#hidden-word", "credentials"),
        ("sqs://sqs.eu-central-1.amazonaws.com/123456789012/hidden-word.fifo", "a standard queue"),
        ("sqs://sqs.eu-central-1.amazonaws.com/hidden-word", "an account of 12 digits"),
        ("sqs://sqs.eu-central-1.amazonaws.com/123/hidden-word", "an account of 12 digits"),
        ("sqs://sqs.eu-central-1.amazonaws.com/123456789012/hidden.word", "an account of 12 digits"),
        (f"sqs://sqs.eu-central-1.amazonaws.com/123456789012/{'x' * 81}", "an account of 12 digits"),
    ],
)
@pytest.mark.parametrize("part", [SQSPublisher, SQSSource, SQSDeadLetters])
def test_a_url_that_is_wrong_is_refused_and_not_repeated(part: type, url: str, expected: str) -> None:
    with pytest.raises(InvalidSettingsError, match=f"AUDIT_LOG_QUEUE_URL .*{expected}") as caught:
        part(url)

    assert "hidden" not in str(caught.value)
