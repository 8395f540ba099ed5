"""GET /.well-known/jwks.json: the public keys of this service's tokens."""

from typing import Any

from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.http.request import Request
from functions.http.response import Response, ResponseModel


class JwkSet(ResponseModel):
    """RFC 7517 section 5. Empty where tokens are signed with a shared secret."""

    keys: list[dict[str, Any]]


def jwks(_request: Request, services: Services) -> Response:
    """The keys that verify this service's tokens, for whoever wants to verify them elsewhere."""
    keys = [dict(key) for key in services.keys.jwks()["keys"]]
    return Response.of(200, JwkSet(keys=keys), {"Cache-Control": "public, max-age=300"})


handler = lambda_handler(jwks)
