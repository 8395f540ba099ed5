"""WSGI adapter (PEP 3333) of the application: for embedding it in another server, and for werkzeug's test client.

WSGI has lost the case of header names, and may have joined the values of a repeated header by commas.
"""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from core.errors import AuditLogError
from functions.http.errors import MalformedRequestError
from functions.http.limits import MAX_BODY_BYTES, body_too_large
from local_runner.aws_events.proxy_event import HTTPRequest
from local_runner.http.application import Application

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]

_MAX_LENGTH_DIGITS: Final = 20


class WSGIApplication:
    """Serves `application` as a WSGI callable. Safe to call from several threads."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        refusal: AuditLogError | None = None
        body = b""
        try:
            body = read_body(environ)
        except AuditLogError as exc:
            refusal = exc
        response = self._application.answer(parse_environ(environ, body), refusal)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", [*response.headers])
        return [response.body]


def parse_environ(environ: Environ, body: bytes) -> HTTPRequest:
    """Build the request that a server described by `environ`."""
    path: str = environ.get("PATH_INFO") or "/"
    return HTTPRequest(
        method=environ["REQUEST_METHOD"],
        path=path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace"),
        query=environ.get("QUERY_STRING") or "",
        # Servers set an empty Content-Type or Content-Length for a header that was not sent.
        headers={
            name: [value]
            for key, value in environ.items()
            if (name := _header_name(key)) and (value or key.startswith("HTTP_"))
        },
        body=body,
        source_ip=environ.get("REMOTE_ADDR", ""),
        protocol=environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
    )


def read_body(environ: Environ) -> bytes:
    """Read the body of a request, at most `MAX_BODY_BYTES`.

    Raises:
        EventTooLargeError: the body is larger.
        MalformedRequestError: Content-Length is invalid, the body is shorter, or its chunks are malformed.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if not length:
        # Chunked, or no body: only a server that ends the input can be read without a length.
        body = _read(environ, MAX_BODY_BYTES + 1) if environ.get("wsgi.input_terminated") else b""
    else:
        if not length.isdecimal():
            raise MalformedRequestError("Content-Length must be a number of bytes.")
        if len(length) > _MAX_LENGTH_DIGITS or int(length) > MAX_BODY_BYTES:  # int refuses thousands of digits
            raise body_too_large()
        body = _read(environ, int(length))
        if len(body) < int(length):  # the client disconnected: a part of a body may look complete
            raise MalformedRequestError("The body ends before its Content-Length.")
    if len(body) > MAX_BODY_BYTES:
        raise body_too_large()
    return body


def _read(environ: Environ, size: int) -> bytes:
    try:
        body: bytes = environ["wsgi.input"].read(size)
    except OSError:
        raise MalformedRequestError("The body ends early, or its chunks are malformed.") from None
    return body


def _header_name(key: str) -> str | None:
    """Return the header that a key of the environ stands for; None for other keys."""
    if not key.startswith("HTTP_") and key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        return None
    return key.removeprefix("HTTP_").replace("_", "-").title()
