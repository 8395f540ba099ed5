"""Requests to an identity provider: bounded in time and size, without redirects."""

import http.client
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

MAX_BYTES: Final = 1024 * 1024
"""Size of an answer; of a JWK set a hundred keys take a tenth."""

_TIMEOUT_SECONDS: Final = 5.0  # to connect, and for each read
_BODY_SECONDS: Final = 10.0
_READ_BYTES: Final = 64 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes redirects for errors, because they could lead to keys of another host."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(url: str, form: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the body at `url`, which is https; with `form`, of a POST.

    Raises:
        OSError: it is unreachable, slow, or answers with another status than 2xx, or not by HTTP.
        ValueError: the body is too large.
    """
    try:
        return _fetch(url, form, headers)
    except http.client.HTTPException as exc:
        raise OSError("the answer is not HTTP, or is truncated") from exc


def _fetch(url: str, form: bytes | None, headers: Mapping[str, str] | None) -> bytes:
    opener = urllib.request.build_opener(_NoRedirects)
    request = urllib.request.Request(url, form, dict(headers or {}))  # noqa: S310 - settings allow https only
    with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
        body = b""
        end = time.monotonic() + _BODY_SECONDS
        while part := response.read1(_READ_BYTES):
            body += part
            if len(body) > MAX_BYTES:
                raise ValueError(f"the answer has more than {MAX_BYTES} bytes")
            if time.monotonic() > end:
                raise TimeoutError(f"the answer took more than {_BODY_SECONDS:g} seconds")
        return body
