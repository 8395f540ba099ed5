"""GET /openapi.json, /docs and the files of its page: the API description."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from core.wiring import Services
from functions.http.errors import RouteNotFoundError
from functions.http.handler import Operation, lambda_handler
from functions.http.request import Request
from functions.http.response import Response
from functions.http.route import Route

_STATIC: Final = Path(__file__).with_name("static")
TYPES: Final = {
    "docs.js": "text/javascript; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_CACHED: Final = {"Cache-Control": "public, max-age=3600"}
# Swagger UI sets style attributes, and has its icons in data URLs.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def openapi_operation(routes: Callable[[], Sequence[Route]]) -> Operation:
    """Build the operation of GET /openapi.json.

    Args:
        routes: Returns the routes to describe. Called at the first request, because the operation is in that table too.
    """

    @cache
    def document() -> dict[str, Any]:
        from functions.pages.openapi import describe  # noqa: PLC0415 - takes 0.3 s, which only this route should pay

        return describe(routes())

    def openapi(request: Request, _services: Services) -> Response:
        """OpenAPI 3.1 description of the API, generated from its routes and models."""
        # Only the server differs: clients that send many prefixes must not have the document built for each.
        return Response(200, orjson.dumps({**document(), "servers": [{"url": request.url_prefix or "/"}]}))

    return openapi


def docs(_request: Request, _services: Services) -> Response:
    """Swagger UI for /openapi.json. Loads nothing from other hosts."""
    page = (_STATIC / "docs.html").read_bytes()
    return Response(200, page, "text/html; charset=utf-8", {"Content-Security-Policy": _POLICY})


def docs_file(request: Request, _services: Services) -> Response:
    """Return a file of the page at /docs."""
    name = request.path_parameters.get("file", "")
    if name not in TYPES:
        raise RouteNotFoundError("The page has no such file.")
    is_text = not name.endswith(".png")
    return Response(200, (_STATIC / name).read_bytes(), TYPES[name], _CACHED, is_text=is_text)


handler = lambda_handler(docs)
file_handler = lambda_handler(docs_file)
