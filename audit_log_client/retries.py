"""Retries with exponential back-off and jitter."""

import itertools
import random
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import httpx

from audit_log_client.errors import UnavailableError
from audit_log_client.problems import detail

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
LONGEST_RETRY_AFTER: Final = 300.0  # seconds; limits a proxy that asks for hours
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
"""Statuses of transient failures: too many requests, a full queue, a restarting service."""


class Retries:
    """Repeats a request until it succeeds or fails permanently, for at most `patience` seconds of pauses in all.

    Pauses grow exponentially and are random, so that clients do not retry in step; they come on top of Retry-After.
    See https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """

    def __init__(
        self, patience: float, sleep: Callable[[float], object], on_retry: Callable[[UnavailableError], object]
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._on_retry = on_retry

    def with_patience(self, patience: float) -> "Retries":
        """Return these retries with another patience."""
        return Retries(patience, self._sleep, self._on_retry)

    def send(self, send: Callable[[], httpx.Response], url: str) -> httpx.Response:
        """Call `send` until its response is no transient failure, and return that response.

        Raises:
            UnavailableError: there was none within `patience`.
        """
        waited = 0.0
        for attempt in itertools.count():
            requested = 0.0
            try:
                response = send()
            except httpx.TransportError as exc:
                failure = _no_response(exc, url)
            else:
                if not _is_transient(response):
                    return response
                requested = _retry_after(response)
                failure = UnavailableError(_reason(response, url))
            pause = requested + random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 16)))  # noqa: S311 - no secret
            if waited + pause > self._patience:
                raise failure
            self._on_retry(failure)
            self._sleep(pause)
            waited += pause
        raise AssertionError  # unreachable: count has no end


def _is_transient(response: httpx.Response) -> bool:
    # A 404 with Retry-After is that of a resource that is about to exist, such as the proof of a new event.
    waits = response.status_code == HTTPStatus.NOT_FOUND and "Retry-After" in response.headers
    return waits or response.status_code in _TRANSIENT


def _reason(response: httpx.Response, url: str) -> str:
    message = detail(response) or "no reason was given."
    if response.status_code == HTTPStatus.NOT_FOUND:  # the service works
        return message
    return f"{url} is temporarily unavailable (status {response.status_code}): {message}"


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), LONGEST_RETRY_AFTER) if text.isdecimal() else 0.0


def _no_response(error: httpx.TransportError, url: str) -> UnavailableError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UnavailableError(
                f"The certificate of {url} is not trusted ({cause.verify_message}): check the address, or name a file "
                "with the certificate of its authority in SSL_CERT_FILE."
            )
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return UnavailableError(f"{url} does not answer by TLS: try http:// in place of https://.")
        cause = cause.__cause__ or cause.__context__
    reason = str(error) or type(error).__name__
    advice = "check the address, and that the service is running"
    if isinstance(error, httpx.RemoteProtocolError) and url.startswith("http://"):
        advice = "try https:// in place of http://, or check the address"
    return UnavailableError(f"No answer from {url} ({reason}): {advice}.")
