"""Builds the proxy event that API Gateway would send to Lambda (REST API, payload version 1.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from functions.http.errors import MalformedRequestError
from functions.http.request import ProxyEvent
from functions.http.response import ProxyResponse

MAX_QUERY_FIELDS: Final = 200
STAGE: Final = "local"


class HTTPRequest(NamedTuple):
    """A complete HTTP request. `path` is percent-decoded UTF-8, `query` as sent, `headers` all values by name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, Sequence[str]]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"


class HTTPResponse(NamedTuple):
    """A complete HTTP response."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def build_proxy_event(
    request: HTTPRequest, *, request_id: str, resource: str, path_parameters: Mapping[str, str] | None
) -> ProxyEvent:
    """Build the proxy event of `request`, which matched the path template `resource`.

    Raises:
        MalformedRequestError: the query string has more than `MAX_QUERY_FIELDS` fields.
    """
    method, path, query_string, headers, body, source_ip, protocol = request
    query = _parse_query(query_string) if query_string else None
    single = {name: values[-1] for name, values in headers.items()}
    text, is_base64 = _text(body)
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        # Of a repeated header or parameter, API Gateway keeps the last value here.
        "headers": single,
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} if query else None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": path_parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": single.get("Host", ""),
            "httpMethod": method,
            "identity": {"sourceIp": source_ip, "userAgent": single.get("User-Agent")},
            "path": path,  # a stage at the root of a custom domain: no prefix
            "protocol": protocol,
            "requestId": request_id,
            "requestTimeEpoch": int(time.time() * 1000),
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": text,
        "isBase64Encoded": is_base64,
    }


def parse_proxy_response(response: ProxyResponse) -> HTTPResponse:
    """Build the HTTP response that API Gateway would send for a proxy response."""
    body: str = response["body"]
    content = base64.b64decode(body) if response["isBase64Encoded"] else body.encode()
    headers = [*response["headers"].items()]
    for name, values in response.get("multiValueHeaders", {}).items():
        headers.extend((name, value) for value in values)
    return HTTPResponse(response["statusCode"], headers, content)


def _parse_query(text: str) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    try:
        # Bytes that are not UTF-8 become lone surrogates, which the handler refuses: a filter must not be altered.
        fields = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise MalformedRequestError(f"The query string has more than {MAX_QUERY_FIELDS} fields.") from None
    for name, value in fields:
        query.setdefault(name, []).append(value)
    return query


def _text(body: bytes) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True
