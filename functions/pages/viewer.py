"""GET / and the files of its page: the log viewer, which reads events through the same API as other clients."""

from pathlib import Path
from typing import Final

from core.wiring import Services
from functions.http.errors import RouteNotFoundError
from functions.http.handler import lambda_handler
from functions.http.request import Request
from functions.http.response import Response

_FOLDER: Final = Path(__file__).with_name("static") / "viewer"
_SCRIPT: Final = "text/javascript; charset=utf-8"
TYPES: Final = {
    "viewer.css": "text/css; charset=utf-8",
    "api.js": _SCRIPT,
    "chips.js": _SCRIPT,
    "combobox.js": _SCRIPT,
    "counts.js": _SCRIPT,
    "detail.js": _SCRIPT,
    "dom.js": _SCRIPT,
    "event-place.js": _SCRIPT,
    "export.js": _SCRIPT,
    "filters.js": _SCRIPT,
    "format.js": _SCRIPT,
    "histogram.js": _SCRIPT,
    "json-tree.js": _SCRIPT,
    "keyboard.js": _SCRIPT,
    "live.js": _SCRIPT,
    "main.js": _SCRIPT,
    "new-file.js": _SCRIPT,
    "paths.js": _SCRIPT,
    "open-event.js": _SCRIPT,
    "preferences.js": _SCRIPT,
    "problem.js": _SCRIPT,
    "results.js": _SCRIPT,
    "sign-in.js": _SCRIPT,
    "theme.js": _SCRIPT,
    "time-range.js": _SCRIPT,
    "view.js": _SCRIPT,
}
_HEADERS: Final = {
    # The page shows event data as text. Should a defect insert it as HTML, the browser runs no script of it and sends
    # nothing to other hosts; with trusted types, it does not even parse a string as HTML.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# A page must not mix modules of two versions, as it might with files in the browser's cache.
_CACHED: Final = {"Cache-Control": "no-cache"}


def viewer(_request: Request, services: Services) -> Response:
    """Log viewer. Loads nothing from other hosts."""
    page = (_FOLDER / "index.html").read_text(encoding="utf-8").replace("{auth}", services.settings.auth)
    return Response(200, page.encode(), "text/html; charset=utf-8", {**_HEADERS, **_CACHED})


def viewer_file(request: Request, _services: Services) -> Response:
    """Return a file of the page at /."""
    name = request.path_parameters.get("file", "")
    if name not in TYPES:
        raise RouteNotFoundError("The page has no such file.")
    return Response(200, (_FOLDER / name).read_bytes(), TYPES[name], _CACHED)


handler = lambda_handler(viewer)
file_handler = lambda_handler(viewer_file)
