"""CORS: lets pages of configured origins call the API from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol).

Off unless `AUDIT_LOG_CORS_ORIGINS` names origins. Credentials such as cookies are never allowed: pages send the token.
"""

from collections.abc import Callable, Sequence
from typing import Final

from core.settings import Settings
from core.wiring import Services
from functions.http.errors import MethodNotAllowedError
from functions.http.request import Request
from functions.http.response import Response

_ALLOWED_HEADERS: Final = "Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match"
_EXPOSED_HEADERS: Final = "ETag, Link, Location, Retry-After, X-Request-Id"
_MAX_AGE_SECONDS: Final = 600


def cors_headers(origin: str | None, settings: Settings) -> dict[str, str]:
    """Return the CORS headers of a response; the permission only for a configured origin, none if CORS is off."""
    if not settings.cors_origins:
        return {}
    if origin not in settings.cors_origins:
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED_HEADERS}


def preflight(methods: Sequence[str]) -> Callable[[Request, Services], Response]:
    """Build the operation that answers OPTIONS on a path with `methods`. With GET, HEAD is allowed as well."""
    allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)

    def options(request: Request, services: Services) -> Response:
        if request.header("origin") not in services.settings.cors_origins:
            raise MethodNotAllowedError(allowed)
        headers = {
            "Access-Control-Allow-Methods": ", ".join(allowed),
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
        }
        return Response(200, headers=headers)

    return options
