"""Verification of ID tokens (OpenID Connect Core 1.0, section 3.1.3.7)."""

import hmac
import math
from typing import Any, Final

import jwt

from core.auth import jws
from core.auth.token_verifier import LEEWAY_SECONDS, KeySource
from core.domain.models import MAX_TIMESTAMP
from core.errors import InvalidTokenError

MAX_AGE_SECONDS: Final = 600
"""Age of an ID token that was just fetched."""


def verify_id_token(  # noqa: PLR0913 - what a token is compared with
    token: str, keys: KeySource, *, issuer: str, client_id: str, nonce: str, now: float
) -> dict[str, Any]:
    """Return the claims of an ID token that `issuer` made for this sign-in, of which `nonce` is known.

    The algorithm belongs to the key that the token names, so neither `none` nor a symmetric one is accepted.

    Raises:
        InvalidTokenError: any check fails. The message never repeats the token.
        TokenCheckUnavailableError: the keys are unknown; trying again later helps.
    """
    try:
        key = keys.find(jws.header(token).kid)
        if key is None:
            raise InvalidTokenError("The ID token names no known key.")
        claims = jws.payload(token, key)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as exc:
        raise InvalidTokenError("The ID token is damaged or forged.") from exc
    if not isinstance(claims, dict) or claims.get("iss") != issuer:
        raise InvalidTokenError("The ID token is of another issuer.")
    audiences = claims["aud"] if isinstance(claims.get("aud"), list) else [claims.get("aud")]
    if (
        client_id not in audiences
        or claims.get("azp", client_id) != client_id
        or (len(audiences) > 1 and "azp" not in claims)
    ):
        raise InvalidTokenError("The ID token is for another client.")
    sent = claims.get("nonce")
    if not isinstance(sent, str) or not is_secret(sent, nonce):
        raise InvalidTokenError("The ID token belongs to another sign-in.")
    exp, iat = (_seconds(claims.get(name)) for name in ("exp", "iat"))
    if exp <= now or not -MAX_AGE_SECONDS < iat - now <= LEEWAY_SECONDS:
        raise InvalidTokenError("The ID token is not of now: check the clocks.")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise InvalidTokenError("The ID token has no subject.")
    return claims


def is_secret(sent: str, secret: str) -> bool:
    """Compare a text that was sent with a secret, in constant time. Bytes that are not UTF-8 are lone surrogates."""
    return hmac.compare_digest(sent.encode(errors="surrogatepass"), secret.encode())


def _seconds(value: object) -> float:
    """Return a time up to the year 9999, or minus infinity for anything else, which is never valid."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_TIMESTAMP:
        return value
    return -math.inf
