"""Reads the count of accepted events from CloudWatch."""

from datetime import UTC, datetime
from typing import Final

from core.aws.metrics import ACCEPTED, NAMESPACE, STAGE
from core.errors import MetricsUnavailableError

_MINUTE: Final = 60


def accepted_between(stage: str, start: int, end: int) -> int:
    """Return the number of events that a stage accepted from minute `start` until before minute `end`, since 1970.

    Raises:
        MetricsUnavailableError: CloudWatch is unreachable or refuses the query.
    """
    import boto3  # noqa: PLC0415 - at first use
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    metric = {"Namespace": NAMESPACE, "MetricName": ACCEPTED, "Dimensions": [{"Name": STAGE, "Value": stage}]}
    query = {"Id": "accepted", "MetricStat": {"Metric": metric, "Period": _MINUTE, "Stat": "Sum"}}
    try:
        pages = (
            boto3.client("cloudwatch")
            .get_paginator("get_metric_data")
            .paginate(
                MetricDataQueries=[query],
                StartTime=datetime.fromtimestamp(start * _MINUTE, UTC),
                EndTime=datetime.fromtimestamp(end * _MINUTE, UTC),
            )
        )
        return int(sum(sum(result["Values"]) for page in pages for result in page["MetricDataResults"]))
    except (BotoCoreError, ClientError) as exc:
        raise MetricsUnavailableError("CloudWatch is unavailable at the moment: try again later.") from exc
