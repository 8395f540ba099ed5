"""Media types of request bodies: a Content-Type header, matched in time proportional to its length."""

from typing import Final

from functions.http.errors import UnsupportedMediaTypeError
from functions.http.request import Request

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

_OWS: Final = " \t"
"""Optional whitespace (RFC 9110 section 5.6.3)."""

_UTF8: Final = frozenset({"charset=utf-8", 'charset="utf-8"', "charset=utf8", 'charset="utf8"'})


def media_type(request: Request, *accepted: str) -> str:
    """The media type of the body: one of `accepted`, in UTF-8.

    Type, subtype and charset are compared without regard to case; there may be no other parameter (RFC 9110 section
    8.3.1).

    Raises:
        UnsupportedMediaTypeError: another one, or none.
        MalformedRequestError: more than one Content-Type header.
    """
    given = request.header("content-type") or ""
    if given in accepted:
        return given
    # A semicolon inside a quoted parameter needs no care: whatever it splits, no part of it is a charset of UTF-8.
    essence, *parameters = [part.strip(_OWS) for part in given.lower().split(";")]
    named = [parameter for parameter in parameters if parameter]
    if essence in accepted and (not named or (len(named) == 1 and named[0] in _UTF8)):
        return essence
    raise UnsupportedMediaTypeError(f"Send the body as {' or '.join(accepted)} in UTF-8, and say so in Content-Type.")
