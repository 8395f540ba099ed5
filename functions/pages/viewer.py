"""GET / and the files of its page: the log viewer, which reads events through the same API as other clients."""

import html
import json
from pathlib import Path
from typing import Final

from core.domain.conventional_fields import CHANGE_PAIRS, FAILURES, FIELDS, SUCCESSES
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
    "catalogue.js": _SCRIPT,
    "changes.js": _SCRIPT,
    "chips.js": _SCRIPT,
    "columns.js": _SCRIPT,
    "combobox.js": _SCRIPT,
    "conventional.js": _SCRIPT,
    "counts.js": _SCRIPT,
    "detail.js": _SCRIPT,
    "dom.js": _SCRIPT,
    "event-list.js": _SCRIPT,
    "event-place.js": _SCRIPT,
    "export.js": _SCRIPT,
    "facets.js": _SCRIPT,
    "feed-tail.js": _SCRIPT,
    "filter-line.js": _SCRIPT,
    "filters.js": _SCRIPT,
    "follow.js": _SCRIPT,
    "format.js": _SCRIPT,
    "histogram.js": _SCRIPT,
    "json-tree.js": _SCRIPT,
    "keyboard.js": _SCRIPT,
    "known-values.js": _SCRIPT,
    "lang-de.js": _SCRIPT,
    "lang-en.js": _SCRIPT,
    "lang-fr.js": _SCRIPT,
    "language.js": _SCRIPT,
    "ledger.js": _SCRIPT,
    "list-ends.js": _SCRIPT,
    "listed-proofs.js": _SCRIPT,
    "live.js": _SCRIPT,
    "main.js": _SCRIPT,
    "new-file.js": _SCRIPT,
    "open-event.js": _SCRIPT,
    "overview.js": _SCRIPT,
    "paths.js": _SCRIPT,
    "pinned-ledger.js": _SCRIPT,
    "preferences.js": _SCRIPT,
    "printing.js": _SCRIPT,
    "problem.js": _SCRIPT,
    "proof.js": _SCRIPT,
    "ranges.js": _SCRIPT,
    "report.js": _SCRIPT,
    "results.js": _SCRIPT,
    "same-event.js": _SCRIPT,
    "sentences.js": _SCRIPT,
    "share.js": _SCRIPT,
    "sign-in.js": _SCRIPT,
    "spreadsheet.js": _SCRIPT,
    "stack.js": _SCRIPT,
    "theme.js": _SCRIPT,
    "time-range.js": _SCRIPT,
    "time-zone.js": _SCRIPT,
    "value-counts.js": _SCRIPT,
    "verifier.js": _SCRIPT,
    "view.js": _SCRIPT,
}
_FIELDS: Final = html.escape(
    json.dumps(
        {
            "fields": {field.name: field.paths for field in FIELDS},
            "successes": SUCCESSES,
            "failures": FAILURES,
            "pairs": CHANGE_PAIRS,
        }
    )
)
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
    page = (_FOLDER / "index.html").read_text(encoding="utf-8")
    page = page.replace("{auth}", services.settings.auth).replace("{fields}", _FIELDS)
    return Response(200, page.encode(), "text/html; charset=utf-8", {**_HEADERS, **_CACHED})


def viewer_file(request: Request, _services: Services) -> Response:
    """Return a file of the page at /."""
    name = request.path_parameters.get("file", "")
    if name not in TYPES:
        raise RouteNotFoundError("The page has no such file.")
    return Response(200, (_FOLDER / name).read_bytes(), TYPES[name], _CACHED)


handler = lambda_handler(viewer)
file_handler = lambda_handler(viewer_file)
