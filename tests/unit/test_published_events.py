"""The events of the local runner compared with those that AWS publishes: every difference is listed with its reason."""

import fnmatch
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import create_environ

from core.ports.queue import Message
from functions.http.request import ProxyEvent
from local_runner.aws_events import proxy_event
from local_runner.aws_events.sqs_event import to_sqs_event
from local_runner.http.wsgi import parse_environ
from tests.support.published_events import differences, published

ADDED_BY_AWS = ["cloudfront-*", "via", "x-amz*", "x-forwarded-*"]

GATEWAY = {
    **{f"{headers}.{name}": "added by AWS on the way; here nothing stands in front"
       for headers in ("headers", "multiValueHeaders")
       for name in ("CloudFront-*", "Via", "X-Amz*", "X-Forwarded-*")},
    "multiValueHeaders.": "a slip of the documentation: a header without a name",
    "stageVariables": "there is one stage, without variables: null, as AWS has it then",
    "requestContext.resourceId": "an id inside API Gateway; resourcePath tells the route",
    "requestContext.extendedRequestId": "an id for AWS's support",
    "requestContext.requestTime": "requestTimeEpoch, as text",
    "requestContext.domainPrefix": "the first label of domainName",
    **{f"requestContext.identity.{name}": "null unless requests are signed for IAM or Cognito, or carry an API key"
       for name in ("cognito*", "accountId", "caller", "apiKey", "accessKey", "userArn", "user", "principalOrgId")},
}  # fmt: skip
"""Where the local runner's proxy events differ from API Gateway's, and why that is no matter."""

SQS = {"Records.md5OfBody": "nothing changes a message on its way inside one process"}
"""The same for the events of the consumer."""


def our_event(sample: dict[str, Any]) -> ProxyEvent:
    """What the local runner makes of the request that the sample is of, as the client sent it."""
    names = [
        name for name in sample["headers"] if not any(fnmatch.fnmatch(name.lower(), each) for each in ADDED_BY_AWS)
    ]
    body = (sample["body"] or "").encode()
    environ = create_environ(
        sample["path"],
        method=sample["httpMethod"],
        headers={name: sample["headers"][name] for name in names},
        query_string=urlencode(sample["multiValueQueryStringParameters"] or {}, doseq=True),
    )
    return proxy_event.build_proxy_event(
        parse_environ(environ, body),
        request_id="r-1",
        resource=sample["resource"],
        path_parameters=sample["pathParameters"],
    )


def unexplained(found: list[str], explained: dict[str, str]) -> list[str]:
    return [path for path in found if not any(fnmatch.fnmatchcase(path, pattern) for pattern in explained)]


@pytest.mark.parametrize("name", ["api_gateway_rest", "api_gateway_rest_without_body"])
def test_a_proxy_event_differs_from_the_published_one_only_where_it_is_explained(name: str) -> None:
    sample = published(name)

    assert unexplained(list(differences(sample, our_event(sample))), GATEWAY) == []


@pytest.mark.parametrize("name", ["api_gateway_rest", "api_gateway_rest_without_body"])
def test_a_proxy_event_says_of_the_request_what_the_published_one_says(name: str) -> None:
    sample = published(name)
    ours = our_event(sample)

    same = [
        "resource", "path", "httpMethod", "queryStringParameters", "multiValueQueryStringParameters",
        "pathParameters", "body", "isBase64Encoded",
    ]  # fmt: skip
    assert {part: ours[part] for part in same} == {part: sample[part] for part in same}


def test_an_sqs_event_differs_from_the_published_one_only_where_it_is_explained() -> None:
    ours = to_sqs_event([Message(f"m{number}", f"r{number}", "test", 1, 1_700_000_000.456) for number in (1, 2)])

    assert unexplained(list(differences(published("sqs"), ours)), SQS) == []


def test_an_attribute_of_a_message_has_the_form_that_aws_gives_it() -> None:
    (record,) = to_sqs_event([Message("m1", "r1", "test", 1, 1_700_000_000.456, "00-a-b-01")])["Records"]
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, `messageAttributes` of the example
    assert record["messageAttributes"] == {
        "traceparent": {
            "stringValue": "00-a-b-01",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "String",
        }
    }


def test_no_explanation_has_lost_its_difference() -> None:
    found = [
        path
        for name in ("api_gateway_rest", "api_gateway_rest_without_body")
        for path in differences(published(name), our_event(published(name)))
    ]
    assert [pattern for pattern in GATEWAY if not fnmatch.filter(found, pattern)] == []


def test_an_event_of_ours_has_nothing_that_no_published_one_has() -> None:
    samples = [published("api_gateway_rest"), published("api_gateway_rest_without_body")]
    for ours, *theirs in zip(_places(our_event(samples[0])), *map(_places, samples), strict=True):
        assert ours.keys() <= {name for sample in theirs for name in sample}


def _places(event: ProxyEvent) -> list[Mapping[str, Any]]:
    return [event, event["requestContext"], event["requestContext"]["identity"]]
