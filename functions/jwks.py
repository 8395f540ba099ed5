"""GET /.well-known/jwks.json: public keys that verify this service's tokens."""

from typing import Any

from pydantic import Field

from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.http.request import Request
from functions.http.response import Response, ResponseModel


class JwkSet(ResponseModel):
    """JWK set (RFC 7517 section 5). Empty if tokens are signed with a shared secret."""

    keys: list[dict[str, Any]] = Field(
        examples=[[{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]]
    )


def jwks(_request: Request, services: Services) -> Response:
    """Return the public keys, for programs that verify this service's tokens themselves."""
    keys = [dict(key) for key in services.keys.jwks()["keys"]]
    return Response.of(200, JwkSet(keys=keys), {"Cache-Control": "public, max-age=300"})


handler = lambda_handler(jwks)
