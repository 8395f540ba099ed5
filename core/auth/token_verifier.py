"""Verification of access tokens, of this service and of trusted issuers, by the rules of RFC 8725."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import jwt
from pydantic import ValidationError

from core.auth import jws
from core.auth.keys import Key
from core.auth.tokens import Claims
from core.domain.clock import Clock
from core.errors import InvalidTokenError

LEEWAY_SECONDS: Final = 30
"""How far `iat` and `nbf` may be in the future, because clocks differ. Expiry has no leeway."""

REMEMBERED_SECONDS: Final = 30
"""How long a successful verification is cached, also after its key was withdrawn. Expiry and the client's status are
checked for each request."""

_REMEMBERED_TOKENS: Final = 10_000
_NOT_OURS: Final = "The token was not issued for this service, or is damaged: get a new one."


class KeySource(Protocol):
    """Looks up the key that a token names."""

    def find(self, kid: str | None) -> Key | None:
        """Return the key with this `kid`, or None.

        Raises:
            TokenCheckUnavailableError: the keys are unknown; trying again later helps.
        """


@dataclass(frozen=True)
class TrustedIssuer:
    """Issuer whose tokens are accepted if they have this `issuer` and `audience` and a signature of one of `keys`."""

    issuer: str
    audience: str
    keys: KeySource
    foreign: bool = False


class TokenVerifier:
    """Verifies tokens. Caches successful verifications, because a client sends the same token with every request."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        max_minutes: int,
        clock: Clock,
        first_valid_iat: Callable[[str], float] = lambda _: 0,
    ) -> None:
        self._issuers: Mapping[str, TrustedIssuer] = {trusted.issuer: trusted for trusted in issuers}
        self._max_seconds = max_minutes * 60
        self._clock = clock
        self._first_valid_iat = first_valid_iat
        self._verified = lru_cache(maxsize=_REMEMBERED_TOKENS)(self._verify)

    def verify(self, token: str) -> Claims:
        """Return the claims of a token that is valid now.

        Raises:
            InvalidTokenError: the token is invalid; the message says why and never repeats the token.
            TokenCheckUnavailableError: the keys or the client's status are unknown; trying again later helps.
        """
        now = self._clock()
        claims = self._verified(token, int(now // REMEMBERED_SECONDS))
        if now >= claims.exp:
            raise InvalidTokenError("The token has expired: get a new one.")
        if max(claims.iat, claims.nbf) > now + LEEWAY_SECONDS:
            raise InvalidTokenError("The token is not valid yet: check the clock of the host that issued it.")
        if not claims.foreign and claims.iat < self._first_valid_iat(claims.sub):
            raise InvalidTokenError("The token was revoked: its client was disabled, or got a new secret.")
        return claims

    def _verify(self, token: str, _period: int) -> Claims:
        """Check everything that does not depend on the time. `_period` is part of the key of the cache."""
        try:
            trusted = self._issuer(token)
            key = trusted.keys.find(jws.header(token).kid)
            if key is None:
                raise InvalidTokenError(_NOT_OURS)
            claims = _claims(jws.payload(token, key), trusted)
        except (jwt.InvalidTokenError, ValidationError, ValueError, RecursionError) as exc:
            raise InvalidTokenError(_NOT_OURS) from exc
        if claims.exp - claims.iat > self._max_seconds:
            raise InvalidTokenError("The token's lifetime exceeds the maximum of this service: ask for a shorter one.")
        return claims

    def _issuer(self, token: str) -> TrustedIssuer:
        """Return the issuer whose keys are tried. The unverified claim only selects it; its key must then verify."""
        if len(self._issuers) == 1:
            return next(iter(self._issuers.values()))
        payload = token.partition(".")[2].partition(".")[0]
        unverified = json.loads(base64.urlsafe_b64decode(payload + "=="))
        issuer = unverified.get("iss") if isinstance(unverified, dict) else None
        trusted = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if trusted is None:
            raise InvalidTokenError(_NOT_OURS)
        return trusted


def _claims(payload: object, trusted: TrustedIssuer) -> Claims:
    """Check the claims of a token whose signature is valid, except for their times (RFC 7519 section 4.1).

    Raises:
        ValueError: the token was not issued by `trusted` for this service, or a claim has the wrong form.
    """
    if not isinstance(payload, dict) or payload.get("iss") != trusted.issuer:
        raise ValueError("iss")
    audiences = payload.get("aud")
    if isinstance(audiences, str):
        audiences = [audiences]
    if not isinstance(audiences, list) or not all(isinstance(audience, str) for audience in audiences):
        raise ValueError("aud")
    if trusted.audience not in audiences or not isinstance(payload.get("jti", ""), str):
        raise ValueError("aud or jti")
    subject = payload.get("sub")
    if trusted.foreign:  # whose claim `viewer`, if any, means something else
        return Claims.model_validate({**payload, "client": f"{trusted.issuer}#{subject}", "viewer": None})
    return Claims.model_validate({**payload, "client": subject})
