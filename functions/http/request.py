"""Between API Gateway's proxy events and the core: requests, responses, and the one table from errors to statuses.

The events are those of the REST API's Lambda proxy integration, payload version 1.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from core.domain import traceparent
from functions.http.errors import MalformedRequestError

ProxyEvent = Mapping[str, Any]


authenticated_client: ContextVar[str | None] = ContextVar("authenticated_client", default=None)
"""The client whose token or secret the current request has shown, for the access log."""


class Request(NamedTuple):
    """What a handler may know of an HTTP request. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    query: Sequence[tuple[str, str]]
    path_parameters: Mapping[str, str]
    body: bytes
    url_prefix: str
    source_ip: str
    traceparent: str | None = None
    """Which trace it is a part of, see `core.domain.traceparent`."""

    @classmethod
    def from_event(cls, event: ProxyEvent) -> "Request":
        """Read a proxy event; every key but the method may be missing or null.

        Raises:
            MalformedRequestError: the body is marked as base64 and is not.
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
            # A stage puts its name before every path that the client sees: /prod/event.
            url_prefix=(context.get("path") or path).removesuffix(path),
            source_ip=(context.get("identity") or {}).get("sourceIp") or "",
            traceparent=_traceparent(headers) if traceparent.TRACEPARENT in headers else None,
        )

    def header(self, name: str) -> str | None:
        """The value of a header that may come once at most; `name` in lower case.

        Raises:
            MalformedRequestError: it came more than once, so that two readers could each believe another.
        """
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise MalformedRequestError(f"The header {name.title()} came {len(values)} times: send it once.")
        return values[0] if values else None


def request_id_of(event: ProxyEvent, context: object) -> str:
    """API Gateway's id of the request, else Lambda's id of the invocation, else a new one."""
    gateways = (event.get("requestContext") or {}).get("requestId")
    return str(gateways or getattr(context, "aws_request_id", None) or uuid.uuid4())


def _single(values: Mapping[str, str] | None) -> Mapping[str, Sequence[str]]:
    """What has a single value each, in the form with all values."""
    return {name: [value] for name, value in values.items()} if values else {}


def _headers(given: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """By name in lower case: a header that came in two spellings came twice."""
    headers = {name.lower(): values for name, values in given.items()}
    if len(headers) == len(given):
        return headers
    merged: dict[str, list[str]] = {}
    for name, values in given.items():
        merged.setdefault(name.lower(), []).extend(values)
    return merged


def _traceparent(headers: Mapping[str, Sequence[str]]) -> str | None:
    """Several are none, which the standard asks for."""
    values = headers[traceparent.TRACEPARENT]
    return traceparent.normalize(values[0]) if len(values) == 1 else None


def _body(event: ProxyEvent) -> bytes:
    body = event.get("body") or b""
    if event.get("isBase64Encoded"):
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise MalformedRequestError("The body is marked as base64 and is not.") from None
    # `chalice local` hands over bytes. Text that UTF-8 cannot carry is refused where the JSON is read.
    return body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
