"""Signed tokens (JWS compact serialization, RFC 7515 section 7.1), read in the order that costs least.

PyJWT decodes the headers and has the algorithms. `PyJWS.decode`, which does all of it, looks at each letter of a token
in Python and prepares the key again for each: that takes four times as long as the rest.
"""

import binascii
import json
from functools import lru_cache
from typing import Any, Final, NamedTuple

import jwt

from core.auth.keys import Key

_REMEMBERED_HEADERS: Final = 64
_BASE64: Final = bytes.maketrans(b"-_+/", b"+/  ")
"""From the letters of base64url (RFC 4648 section 5) to those of base64, whose own two become none of either."""


class Header(NamedTuple):
    """What the header of a token says of its key. Not to be trusted before the signature is verified."""

    kid: str | None
    algorithm: object


def header(token: str) -> Header:
    """Return the header of a token.

    Raises:
        jwt.InvalidTokenError: it is no header, or has a `kid` or `crit` of the wrong form.
    """
    return _header(token.partition(".")[0])


def payload(token: str, key: Key) -> Any:
    """Return the JSON that a token contains, if its signature is one of `key` (RFC 7515 section 5.2).

    Raises:
        jwt.InvalidTokenError: another algorithm than that of the key (RFC 8725 section 3.1), or another signature.
        ValueError: a segment is not base64url (RFC 7515 section 2), or the content is not JSON in UTF-8.
        RecursionError: the content is nested too deeply.
    """
    if header(token).algorithm != key.algorithm:
        raise jwt.InvalidAlgorithmError("another algorithm than that of the key")
    signed, _, signature = token.encode("ascii").rpartition(b".")
    if not key.verifies(signed, _decode(signature)):
        raise jwt.InvalidSignatureError("another signature")
    return json.loads(_decode(signed.partition(b".")[2]).decode())


@lru_cache(_REMEMBERED_HEADERS)  # all tokens of a key have one header
def _header(segment: str) -> Header:
    members = jwt.get_unverified_header(f"{segment}..")
    # An extension that changes the meaning of a token must be understood (section 4.1.11), and none is, least of all
    # an unencoded payload, which a JWT never has (RFC 7797 section 7).
    if "crit" in members or "b64" in members:
        raise jwt.InvalidTokenError("an extension that this service does not know")
    return Header(members.get("kid"), members.get("alg"))


def _decode(segment: bytes) -> bytes:
    """Decode base64url, of which each value has one spelling, with or without its padding."""
    letters = segment.translate(_BASE64)
    value = binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    spelling = binascii.b2a_base64(value, newline=False)
    if letters not in {spelling, spelling.rstrip(b"=")}:
        raise ValueError("not base64url")
    return value
