"""The services of the process that a handler runs in, whoever started it."""

import os
from collections.abc import Callable
from functools import cache

from core.wiring import Services, process_services


def services() -> Services:
    """What the environment describes, built at the first request that needs it; in Lambda, as `LambdaServices` does.

    Raises:
        InvalidSettingsError: the environment does not describe a service that can start here.
        SecretUnavailableError: in Lambda, a secret cannot be read.
    """
    return _source()()


@cache
def _source() -> Callable[[], Services]:
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return process_services
    from functions.lambda_runtime import LambdaServices  # noqa: PLC0415 - what only Lambda needs

    return LambdaServices()
