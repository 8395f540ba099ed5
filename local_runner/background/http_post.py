"""POST requests to witnesses and time stamp authorities, within bounds of time and size and without redirects."""

import http.client
import time
import urllib.error
import urllib.request
from typing import Any, Final, NamedTuple

from core.errors import AnchorUnavailableError

TIMEOUT_SECONDS: Final = 5.0
"""Time limit to connect, for each read, and for the whole body."""

MAX_ANSWER_BYTES: Final = 64 * 1024

_READ_BYTES: Final = 16 * 1024
_HEADERS: Final = {"User-Agent": "audit-log"}


class Answer(NamedTuple):
    """Status and body of a response."""

    status: int
    body: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes redirects for refusals, because they could lead to another party."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(url: str, body: bytes, media_type: str) -> Answer:
    """Send `body` to an http:// or https:// URL; return the answer, whatever its status.

    Raises:
        AnchorUnavailableError: there is no answer in time, or it is larger than `MAX_ANSWER_BYTES`.
    """
    request = urllib.request.Request(url, body, {**_HEADERS, "Content-Type": media_type})  # noqa: S310 - see the caller
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        try:
            response = opener.open(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as exc:
            response = exc
        with response:
            return Answer(response.status, _read(response))
    except (OSError, ValueError, http.client.HTTPException) as exc:
        raise AnchorUnavailableError(
            f"There is no answer: {getattr(exc, 'reason', None) or type(exc).__name__}."
        ) from exc


def _read(response: Any) -> bytes:
    body = b""
    end = time.monotonic() + TIMEOUT_SECONDS
    while part := response.read1(_READ_BYTES):
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too large")
        if time.monotonic() > end:
            raise TimeoutError
    return body
