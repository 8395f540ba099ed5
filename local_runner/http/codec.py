"""Between the bytes of HTTP/1.1 and WSGI's words for them, as pure functions."""

import io
from collections.abc import Iterable
from copy import copy
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

import httptools

from core.errors import AuditLogError

_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class FailingBody(io.RawIOBase):
    """In place of a body: refused where the application reads it, like one that is too large."""

    def __init__(self, reason: AuditLogError) -> None:
        self._reason = reason

    def read(self, _size: int = -1) -> NoReturn:
        """Raise the reason: a copy, since an error that is raised holds the frames that hold this object."""
        raise copy(self._reason)


@lru_cache(maxsize=256)
def header_key(name: bytes) -> str:
    """The key of a header in the environ."""
    if b"_" in name:
        return "_"  # read by nobody: with its own key it would pass for the header with a hyphen
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def parse_target(text: bytes) -> tuple[str, str]:
    """PATH_INFO, percent-decoded, its bytes as latin-1 (PEP 3333), and QUERY_STRING of a request target."""
    if not text.startswith(b"/"):
        try:
            url = httptools.parse_url(text)  # the absolute form, which proxies send (RFC 9112 section 3.2.2)
            path, query = url.path or b"/", url.query or b""
        except httptools.HttpParserInvalidURLError:
            path, query = text, b""
    else:
        path, _, query = text.partition(b"?")
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path.decode("latin-1"), query.decode("latin-1")


def encode_response(
    answer: tuple[int, Iterable[tuple[str, str]], bytes], defaults: Iterable[tuple[bytes, bytes]], *, keep_alive: bool
) -> bytes:
    """The bytes of a whole response; `defaults` are headers of every one, such as the date."""
    status, headers, body = answer
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    close = "" if keep_alive else "Connection: close\r\n"
    always = b"".join([b"%s: %s\r\n" % header for header in defaults])
    return b"%b%b\r\n%b" % (f"{_STATUS_LINES[status]}{lines}{close}".encode("latin-1"), always, body)
