"""The page after a sign-in that failed: why, and the way back, in the languages of the log viewer."""

import html
from http import HTTPStatus
from typing import Final

from core.auth.sign_in_refusals import Refusal
from core.errors import AuditLogError, InvalidTokenError, SignInRefusedError
from functions.http.problems import headers_for
from functions.http.response import Response
from functions.pages.viewer import FOLDER

_FILE: Final = FOLDER / "sign-in-failed.html"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def sign_in_failed(error: AuditLogError, *cookies: str) -> Response:
    """Build the page: 403 for SignInRefusedError and InvalidTokenError, 503 for errors that may pass.

    The words of an error that is no `Refusal` are for the operator, and are in English in each language.
    """
    match error:
        case SignInRefusedError(args=(Refusal() as refusal,)):
            status, detail = HTTPStatus.FORBIDDEN, ""
        case InvalidTokenError():
            refusal, status, detail = Refusal.INVALID, HTTPStatus.FORBIDDEN, str(error)
        case _:
            refusal, status, detail = Refusal.UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE, str(error)
    values = {"key": f"refusal.{refusal.name.lower()}", "refusal": refusal, "detail": detail}
    page = _FILE.read_text(encoding="utf-8")
    for name, value in values.items():
        page = page.replace(f"{{{name}}}", html.escape(value))
    headers = {**_HEADERS, **(headers_for(error) if status == HTTPStatus.SERVICE_UNAVAILABLE else {})}
    return Response(status, page.encode(), "text/html; charset=utf-8", headers, cookies)
