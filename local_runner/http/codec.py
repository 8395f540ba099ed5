"""Encoding and decoding of parts of HTTP/1.1 messages (RFC 9112), as pure functions."""

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote_to_bytes

import httptools

from local_runner.aws_events.proxy_event import HTTPResponse

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_CACHED_NAME_BYTES: Final = 64


def parse_headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """Decode headers: all values by name, the names in title case (they are case-insensitive, RFC 9110 section 5.1)."""
    headers: dict[str, list[str]] = {}
    for name, value in fields:
        key = _cached_name(name) if len(name) <= _CACHED_NAME_BYTES else _parse_name(name)
        if key in headers:
            headers[key].append(value.rstrip().decode("latin-1"))
        else:
            headers[key] = [value.rstrip().decode("latin-1")]
    return headers


def _parse_name(name: bytes) -> str:
    return name.decode("latin-1").title()


_cached_name = lru_cache(maxsize=256)(_parse_name)  # short names only: clients choose them, and the cache keeps them


def parse_target(text: bytes) -> tuple[str, str]:
    """Split a request target (RFC 9112 section 3.2) into the percent-decoded path and the query string as sent."""
    if text.startswith(b"/"):
        if b"?" not in text and b"%" not in text:
            return text.decode("utf-8", "replace"), ""
        path, _, query = text.partition(b"?")
    else:
        try:
            url = httptools.parse_url(text)  # the absolute form, which proxies send
            path, query = url.path or b"/", url.query or b""
        except httptools.HttpParserInvalidURLError:
            path, query = text, b""
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("utf-8", "replace"), query.decode("latin-1")


def encode_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode headers as lines."""
    return b"".join([b"%s: %s\r\n" % header for header in headers])


def encode_response(response: HTTPResponse, default_headers: bytes, *, keep_alive: bool) -> bytes:
    """Encode a complete response; `default_headers` are lines that every response has, such as Date."""
    status, headers, body = response
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    close = "" if keep_alive else "Connection: close\r\n"
    return b"%b%b\r\n%b" % (f"{_STATUS_LINES[status]}{lines}{close}".encode("latin-1"), default_headers, body)
