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

FOLDER: Final = Path(__file__).with_name("static") / "viewer"
SCRIPT: Final = "text/javascript; charset=utf-8"
_SCRIPTS: Final = (
    "api.js",
    "catalogue.js",
    "changes.js",
    "chip-operator.js",
    "chips.js",
    "colours.js",
    "columns.js",
    "combobox.js",
    "confirm.js",
    "conventional.js",
    "counts.js",
    "detail.js",
    "dialogs.js",
    "dom.js",
    "event-list.js",
    "event-place.js",
    "export.js",
    "facets.js",
    "feed-tail.js",
    "filter-line.js",
    "filters.js",
    "follow.js",
    "format.js",
    "histogram.js",
    "host.js",
    "json-tree.js",
    "keyboard.js",
    "known-values.js",
    "lang-de.js",
    "lang-en.js",
    "lang-fr.js",
    "language-choice.js",
    "language.js",
    "ledger.js",
    "list-ends.js",
    "listed-proofs.js",
    "live.js",
    "main.js",
    "managed-form.js",
    "managed-page.js",
    "new-file.js",
    "open-event.js",
    "other-pages.js",
    "overview.js",
    "paths.js",
    "pinned-ledger.js",
    "preferences.js",
    "printing.js",
    "problem.js",
    "proof.js",
    "ranges.js",
    "report.js",
    "results.js",
    "rule-form.js",
    "rules.js",
    "same-event.js",
    "sentences.js",
    "session.js",
    "share.js",
    "sign-in-failed.js",
    "sign-in.js",
    "spreadsheet.js",
    "stack.js",
    "stream-forms.js",
    "streams.js",
    "theme.js",
    "time-range.js",
    "time-zone.js",
    "value-counts.js",
    "verifier.js",
    "view.js",
)
TYPES: Final = {"viewer.css": "text/css; charset=utf-8", **dict.fromkeys(_SCRIPTS, SCRIPT)}
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
# The page shows event data as text. Should a defect insert it as HTML, the browser runs no script of it and sends
# nothing to other hosts; with trusted types, it does not even parse a string as HTML.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors "
)
# A page must not mix modules of two versions, as it might with files in the browser's cache.
CACHED: Final = {"Cache-Control": "no-cache"}


def viewer(_request: Request, services: Services) -> Response:
    """Log viewer. Loads nothing from other hosts."""
    return viewer_page(services)


def viewer_page(services: Services, *, embed_in: str | None = None) -> Response:
    """Return the page, for an iframe in pages of the origin `embed_in`; None: for none; empty: allowed in none."""
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    embedding = "" if embed_in is None else f' data-embed="{html.escape(embed_in)}"'
    settings = services.settings
    signs_in = "on" if settings.sign_in_client_id and embed_in is None else "off"
    page = page.replace("{auth}", settings.auth).replace("{sign_in}", signs_in)
    page = page.replace("{fields}", _FIELDS).replace("{embed}", embedding)
    headers = {
        "Content-Security-Policy": _POLICY + (embed_in or "'none'"),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        **CACHED,
    }
    return Response(200, page.encode(), "text/html; charset=utf-8", headers)


def viewer_file(request: Request, _services: Services) -> Response:
    """Return a file of the page at /."""
    name = request.path_parameters.get("file", "")
    if name not in TYPES:
        raise RouteNotFoundError("The page has no such file.")
    return Response(200, (FOLDER / name).read_bytes(), TYPES[name], CACHED)


handler = lambda_handler(viewer)
file_handler = lambda_handler(viewer_file)
