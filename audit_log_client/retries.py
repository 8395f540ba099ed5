"""When to try again, and after how long."""

import itertools
import random
import time
from collections.abc import Callable
from typing import Final

import httpx

from audit_log_client.errors import UnavailableError

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LONGEST_RETRY_AFTER: Final = 300.0  # seconds; a proxy that asks for hours is asked again sooner
_PASSING: Final = frozenset({429, 502, 503, 504})
"""Statuses of what passes by itself: too many requests, a queue that is full, a service that is restarted."""


class Retries:
    """Sends until there is an answer that stands, for at most `patience` seconds of pauses in all.

    The pauses grow and are random (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/),
    so that clients that failed together do not come again together; what Retry-After asks for is waited at least.
    """

    def __init__(self, patience: float, sleep: Callable[[float], object] = time.sleep) -> None:
        self._patience = patience
        self._sleep = sleep

    def send(self, send: Callable[[], httpx.Response], url: str) -> httpx.Response:
        """The first answer that is not of a passing failure.

        Raises:
            UnavailableError: there was none.
        """
        waited = 0.0
        for attempt in itertools.count():
            asked = 0.0
            try:
                response = send()
            except httpx.TransportError as exc:
                failure = UnavailableError(
                    f"No answer from {url} ({type(exc).__name__}): is the service running, and is this its address?"
                )
            else:
                if response.status_code not in _PASSING:
                    return response
                asked = _retry_after(response)
                failure = UnavailableError(f"{url} cannot answer at the moment (status {response.status_code}).")
            pause = asked + random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 16)))  # noqa: S311 - no secret
            if waited + pause > self._patience:
                raise failure
            self._sleep(pause)
            waited += pause
        raise AssertionError  # unreachable: count has no end


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_RETRY_AFTER) if text.isdecimal() else 0.0
