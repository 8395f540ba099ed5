"""GET /embed and GET /embed.js: the log viewer inside pages of other origins, see docs/guides/embed.md."""

from pathlib import Path
from typing import Final

from core.wiring import Services
from functions.http.handler import lambda_handler
from functions.http.query_string import Parameter
from functions.http.request import Request
from functions.http.response import Response
from functions.pages.viewer import CACHED, SCRIPT, viewer_page

_FILE: Final = Path(__file__).with_name("static") / "embed.js"

ORIGIN: Final = Parameter(
    "origin",
    str,
    {"type": "string"},
    "Origin of the page around the log, such as https://app.example.org; one of AUDIT_LOG_EMBED_ORIGINS.",
)


def embed(request: Request, services: Services) -> Response:
    """Log viewer for an iframe, which gets its tokens from the page around it; browsers show it in `origin` only.

    The answer names no other origin: one customer of the operator need not know of the others.
    """
    named = [value for name, value in request.query if name == ORIGIN.name]
    allowed = services.settings.embed_origins
    return viewer_page(services, embed_in=named[0] if len(named) == 1 and named[0] in allowed else "")


def embed_script(_request: Request, _services: Services) -> Response:
    """Script of the custom element `audit-log-viewer`, for pages of other origins.

    Browsers fetch a module of another origin by CORS. It is the same for all, and says nothing.
    """
    shared = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(200, _FILE.read_bytes(), SCRIPT, {**shared, **CACHED})


handler = lambda_handler(embed)
script_handler = lambda_handler(embed_script)
