"""Media type of a request body, matched in time proportional to the length of its Content-Type."""

from typing import Final

from functions.http.errors import UnsupportedMediaTypeError
from functions.http.request import Request

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

_OWS: Final = " \t"
"""Optional whitespace (RFC 9110 section 5.6.3)."""

_UTF8: Final = frozenset({"charset=utf-8", 'charset="utf-8"', "charset=utf8", 'charset="utf8"'})


def media_type(request: Request, *accepted: str) -> str:
    """Return the media type of the body, which must be one of `accepted`, in UTF-8.

    Type, subtype and charset are case-insensitive; other parameters are rejected (RFC 9110 section 8.3.1).

    Raises:
        UnsupportedMediaTypeError: another media type or charset, or none.
        MalformedRequestError: several Content-Type headers.
    """
    header = request.header("content-type") or ""
    if header in accepted:
        return header
    # A semicolon in a quoted parameter is split as well. That is harmless: no such part equals a charset of UTF-8.
    essence, *parameters = [part.strip(_OWS) for part in header.lower().split(";")]
    nonempty = [parameter for parameter in parameters if parameter]
    if essence in accepted and (not nonempty or (len(nonempty) == 1 and nonempty[0] in _UTF8)):
        return essence
    raise UnsupportedMediaTypeError(f"The Content-Type is not supported: send {' or '.join(accepted)} in UTF-8.")
