"""The services of the process that a handler runs in, built at its first request."""

import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from threading import Lock
from typing import Final

from core.queues.brokers import SCHEMES, unknown_scheme
from core.settings import Settings
from core.wiring import Services

_PIPELINES: Final = "audit_log.pipelines"

_building = Lock()  # two simultaneous first requests must not start two pipelines


def services() -> Services:
    """Return the services that the environment describes, built at the first request.

    In AWS Lambda `LambdaServices` builds them, elsewhere `process_services`.

    Raises:
        InvalidSettingsError: the settings are invalid or incomplete.
        SecretUnavailableError: in Lambda, a secret cannot be read.
    """
    return _source()()


@cache
def _source() -> Callable[[], Services]:
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return process_services
    from functions.lambda_runtime import LambdaServices  # noqa: PLC0415 - only Lambda needs it

    return LambdaServices()


def process_services() -> Services:
    """Return the services of this process, the same at each call.

    A queue inside the process (`memory://`) needs a consumer in the same process, which no handler can start: the entry
    point in the group `audit_log.pipelines` that is named like the URL's scheme starts it and returns its services.

    Raises:
        InvalidSettingsError: the environment does not describe a usable service.
    """
    with _building:
        return _process_services()


@cache
def _process_services() -> Services:
    settings = Settings.from_environ()
    if settings.queue_scheme in SCHEMES:
        return Services(settings)
    for entry_point in entry_points(group=_PIPELINES, name=settings.queue_scheme):
        start: Callable[[Settings], Services] = entry_point.load()
        return start(settings)
    raise unknown_scheme(settings.queue_scheme)
