"""The cookies of the sign-in, and the check that a request comes from this service's own page."""

from typing import Final
from urllib.parse import urlsplit

from core.errors import SignInRefusedError
from core.settings import Settings
from functions.http.request import Request

ATTEMPT: Final = "audit-log-sign-in"
SESSION: Final = "audit-log-session"
LOGOUT_HINT: Final = "audit-log-id-token"
ATTEMPT_SECONDS: Final = 600


def read_cookie(request: Request, settings: Settings, name: str) -> str | None:
    """Return the value of a cookie (RFC 6265 section 5.4), or None if it is absent or sent twice."""
    pairs = (pair.strip().partition("=") for header in request.headers.get("cookie", ()) for pair in header.split(";"))
    values = [value for found, _, value in pairs if found == _full_name(settings, name)]
    return values[0] if len(values) == 1 else None


def set_cookie(settings: Settings, name: str, value: str, seconds: int, same_site: str) -> str:
    """Return a `Set-Cookie` that scripts cannot read; with 0 seconds it removes the cookie.

    On https its name begins with `__Host-`, so no other host, and no page on http, can set it (RFC 6265bis).
    """
    secure = "; Secure" if _is_https(settings) else ""
    return f"{_full_name(settings, name)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"


def require_own_page(request: Request, settings: Settings) -> None:
    """Check that a script of this service's own page sent the request, by what the browser says about it.

    Raises:
        SignInRefusedError: another page, another site or no browser sent it.
    """
    site = request.header("sec-fetch-site")
    origin = request.header("origin")
    url = urlsplit(settings.public_url or "")
    is_own = origin == f"{url.scheme}://{url.netloc}"
    if site not in {None, "same-origin"} or not is_own:
        raise SignInRefusedError("The request does not come from the page of this service.")


def _is_https(settings: Settings) -> bool:
    return (settings.public_url or "").startswith("https:")


def _full_name(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if _is_https(settings) else name
