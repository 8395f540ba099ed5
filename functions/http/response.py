"""Responses, and their form for API Gateway."""

import base64
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from functions.http.long_poll import LongPoll

ProxyResponse = dict[str, Any]

REQUEST_ID: Final = "X-Request-Id"
"""Header of every response: the id of its request."""


class ResponseModel(BaseModel):
    """Base class of JSON responses. A field with a default is always sent, so its schema is required."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


def without_required(name: str) -> Callable[[dict[str, Any]], None]:
    """Return a `json_schema_extra` for a model whose field `name` is left out if it has its default."""

    def change(schema: dict[str, Any]) -> None:
        schema["required"].remove(name)
        del schema["properties"][name]["default"]

    return change


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})
    cookies: Sequence[str] = ()
    """Values of `Set-Cookie`, the one header that a response can have several times (RFC 9110 section 5.3)."""
    is_text: bool = True
    """Whether the body is UTF-8. API Gateway needs base64 for anything else."""
    long_poll: LongPoll | None = None
    """Not None if the client would rather wait than get this response."""

    @classmethod
    def of(cls, status: int, model: BaseModel, headers: Mapping[str, str] | None = None) -> "Response":
        """Build a JSON response."""
        return cls(status, model.model_dump_json().encode(), headers=headers or {})

    def to_proxy(
        self, request_id: str, *, with_body: bool = True, extra_headers: Mapping[str, str] | None = None
    ) -> ProxyResponse:
        """Build the proxy response. Without body, it has the same headers (HEAD, RFC 9110 section 9.3.2)."""
        body = self.body if with_body else b""
        several = {"multiValueHeaders": {"Set-Cookie": list(self.cookies)}} if self.cookies else {}
        return {
            "statusCode": self.status,
            "headers": {
                "Content-Type": self.content_type,
                "Content-Length": str(len(self.body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                REQUEST_ID: request_id,
                **self.headers,
                **(extra_headers or {}),
            },
            "body": body.decode() if self.is_text else base64.b64encode(body).decode(),
            "isBase64Encoded": not self.is_text,
            **several,
        }
