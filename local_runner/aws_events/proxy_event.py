"""Between WSGI and API Gateway's proxy events (REST API, payload version 1.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import time
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from core.errors import EventTooLargeError
from functions.http.errors import MalformedRequestError
from functions.http.limits import MAX_BODY_BYTES
from functions.http.request import ProxyEvent
from functions.http.response import ProxyResponse

Environ = Mapping[str, Any]

MAX_QUERY_FIELDS: Final = 200
_MOST_DIGITS: Final = 20
STAGE: Final = "local"

_REASONS: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def build_proxy_event(
    environ: Environ, *, body: bytes, request_id: str, resource: str, path_parameters: Mapping[str, str] | None
) -> ProxyEvent:
    """The proxy event that API Gateway would make of the request.

    Other than there, names of headers have lost their case, and values of a repeated header may have been joined by
    commas: WSGI hands them over so.

    Raises:
        MalformedRequestError: the query string has more than `MAX_QUERY_FIELDS` fields.
    """
    headers = _headers(environ)
    query = _query(environ["QUERY_STRING"]) if environ.get("QUERY_STRING") else {}
    path = _path(environ)
    text, is_base64 = _text(body)
    method = environ["REQUEST_METHOD"]
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        # With one value API Gateway keeps the last.
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": path_parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": environ.get("HTTP_HOST", ""),
            "httpMethod": method,
            "identity": {"sourceIp": environ.get("REMOTE_ADDR", ""), "userAgent": environ.get("HTTP_USER_AGENT")},
            "path": path,  # a stage at the root of its own domain: no prefix
            "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "requestId": request_id,
            "requestTimeEpoch": int(time.time() * 1000),
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": text,
        "isBase64Encoded": is_base64,
    }


def read_body(environ: Environ) -> bytes:
    """The body of the request, never more than `MAX_BODY_BYTES` of it.

    Raises:
        EventTooLargeError: there is more.
        MalformedRequestError: Content-Length is not a length, the body ends before it, or its chunks are none.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if not length:
        # Chunked, or no body: only a server that marks its end can be read without knowing the length.
        body = _read(environ, MAX_BODY_BYTES + 1) if environ.get("wsgi.input_terminated") else b""
    else:
        if not length.isdecimal():
            raise MalformedRequestError("Content-Length must be a number of bytes.")
        if len(length) > _MOST_DIGITS or int(length) > MAX_BODY_BYTES:  # int refuses what has thousands of digits
            raise too_large()
        body = _read(environ, int(length))
        if len(body) < int(length):  # the client went away: what came so far may look whole and is not
            raise MalformedRequestError("The body ends before its Content-Length.")
    if len(body) > MAX_BODY_BYTES:
        raise too_large()
    return body


def to_wsgi(response: ProxyResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body of the HTTP response that API Gateway would make of a proxy response."""
    body: str = response["body"]
    content = base64.b64decode(body) if response["isBase64Encoded"] else body.encode()
    return _REASONS[response["statusCode"]], list(response["headers"].items()), content


def _read(environ: Environ, size: int) -> bytes:
    try:
        body: bytes = environ["wsgi.input"].read(size)
    except OSError:
        raise MalformedRequestError("The body breaks off, or its chunks are not those of HTTP.") from None
    return body


def too_large() -> EventTooLargeError:
    """The refusal of a body beyond `MAX_BODY_BYTES`."""
    return EventTooLargeError(f"The body has more than {MAX_BODY_BYTES} bytes: send less, or split the batch.")


@lru_cache(maxsize=512)
def _header_name(key: str) -> str | None:
    """The header that a key of the environ stands for; None: it is no header's."""
    if not key.startswith("HTTP_") and key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        return None
    return key.removeprefix("HTTP_").replace("_", "-").title()


def _headers(environ: Environ) -> dict[str, str]:
    return {
        name: value
        for key, value in environ.items()
        # Servers give an empty Content-Type or Content-Length for one that did not come.
        if (name := _header_name(key)) and (value or key.startswith("HTTP_"))
    }


def _query(text: str) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    try:
        # What is not UTF-8 is kept as lone surrogates, for the handler to refuse: a filter must not be mended.
        fields = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise MalformedRequestError(f"The query string has more than {MAX_QUERY_FIELDS} fields.") from None
    for name, value in fields:
        query.setdefault(name, []).append(value)
    return query


def _path(environ: Environ) -> str:
    # PEP 3333: the bytes of the path come as latin-1.
    path: str = environ.get("PATH_INFO") or "/"
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")


def _text(body: bytes) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
