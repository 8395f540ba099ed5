"""Clients of boto3, with the credentials and the region of this process."""

from collections.abc import Callable
from typing import Any

AwsClients = Callable[[str], Any]
"""Returns boto3's client for a service, such as kms."""


def aws_client(service: str) -> Any:
    """Implement `AwsClients`."""
    import boto3  # noqa: PLC0415 - at first use

    return boto3.client(service)
