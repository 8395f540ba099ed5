"""Requests, parsed from API Gateway's proxy events.

The events are those of the REST API's Lambda proxy integration, payload version 1.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import re
import uuid
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from core.domain import traceparent
from functions.http.errors import MalformedRequestError

ProxyEvent = Mapping[str, Any]

_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


authenticated_client: ContextVar[str | None] = ContextVar("authenticated_client", default=None)
"""The client whose token or secret the current request has shown, for the access log."""

authenticated_viewer: ContextVar[str | None] = ContextVar("authenticated_viewer", default=None)
"""The viewer in the token of the current request, for the access log."""

current_traceparent: ContextVar[str | None] = ContextVar("current_traceparent", default=None)
"""Trace that the current request belongs to, for the access log, see `core.domain.traceparent`."""


class Request(NamedTuple):
    """An HTTP request as handlers see it. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    query: Sequence[tuple[str, str]]
    path_parameters: Mapping[str, str]
    body: bytes
    url_prefix: str
    """What precedes `path` in the client's URL: the path of a reverse proxy, and a stage, such as `/prod`."""
    source_ip: str
    traceparent: str | None = None
    """Trace that the request belongs to, see `core.domain.traceparent`."""

    @classmethod
    def from_event(cls, event: ProxyEvent) -> "Request":
        """Parse a proxy event. All keys but the method may be missing or null.

        Raises:
            MalformedRequestError: `isBase64Encoded` is set, but the body is not base64.
        """
        path = event.get("path") or "/"
        context = event.get("requestContext") or {}
        headers = _headers(event.get("multiValueHeaders") or _single(event.get("headers")))
        query = event.get("multiValueQueryStringParameters") or _single(event.get("queryStringParameters"))
        return cls(
            method=event.get("httpMethod") or "GET",
            path=path,
            headers=headers,
            query=[(name, value) for name, values in query.items() for value in values] if query else [],
            path_parameters=event.get("pathParameters") or {},
            body=_body(event),
            # The client's path begins with that of a reverse proxy, and with the name of the stage: /prod/event.
            url_prefix=_forwarded_prefix(headers) + (context.get("path") or path).removesuffix(path),
            source_ip=(context.get("identity") or {}).get("sourceIp") or "",
            traceparent=_traceparent(headers) if traceparent.TRACEPARENT in headers else None,
        )

    def header(self, name: str) -> str | None:
        """Return the value of a header that may occur once, or None; `name` in lower case.

        Raises:
            MalformedRequestError: the header is repeated, so a proxy might have used another value.
        """
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise MalformedRequestError(f"The header {name.title()} occurs {len(values)} times: send it once.")
        return values[0] if values else None


def request_id_of(event: ProxyEvent, context: object) -> str:
    """Return API Gateway's id of the request, else Lambda's id of the invocation, else a new id."""
    gateway_id = (event.get("requestContext") or {}).get("requestId")
    return str(gateway_id or getattr(context, "aws_request_id", None) or uuid.uuid4())


def _single(values: Mapping[str, str] | None) -> Mapping[str, Sequence[str]]:
    """Convert single values to the form with all values."""
    return {name: [value] for name, value in values.items()} if values else {}


def _headers(original: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Key the headers by their names in lower case. Two spellings of a name are the same header, repeated."""
    headers = {name.lower(): values for name, values in original.items()}
    if len(headers) == len(original):
        return headers
    merged: dict[str, list[str]] = {}
    for name, values in original.items():
        merged.setdefault(name.lower(), []).extend(values)
    return merged


def _forwarded_prefix(headers: Mapping[str, Sequence[str]]) -> str:
    """Return the path that a reverse proxy removed; empty if it names none, or one that is not a plain path.

    It is not trusted: a client that sends it only changes the links in the response to itself.
    """
    values = headers.get("x-forwarded-prefix")
    if not values:
        return ""
    prefix = values[0].rstrip("/") if len(values) == 1 else ""
    return prefix if _PLAIN_PATH.fullmatch(prefix) else ""


def _traceparent(headers: Mapping[str, Sequence[str]]) -> str | None:
    """Return the valid traceparent. A repeated header is ignored (https://www.w3.org/TR/trace-context/)."""
    values = headers[traceparent.TRACEPARENT]
    return traceparent.normalize(values[0]) if len(values) == 1 else None


def _body(event: ProxyEvent) -> bytes:
    body = event.get("body") or b""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedRequestError("The body is marked as base64, but is not base64.") from None
    # `chalice local` passes bytes. Lone surrogates are kept: decoding the JSON rejects them.
    return body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
