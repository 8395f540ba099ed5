"""Public keys of an identity provider, fetched from its JWK set (RFC 7517 section 5)."""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final, Literal

from jwt import PyJWK, PyJWTError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.auth.https import fetch
from core.auth.keys import MIN_RSA_BITS, Key, require_cryptography
from core.auth.last_answer import LastAnswer
from core.domain.clock import Clock
from core.errors import TokenCheckUnavailableError

FETCH_SECONDS: Final = 60.0
"""Interval between two fetches, whatever keys tokens name. A new key works after one interval at the latest."""

KEYS_LIMIT_SECONDS: Final = 24 * 3600.0
"""How long the last fetched keys are used while the provider returns no JWK set."""

_ALGORITHM_OF: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_ACTION: Final = "Check the keys that the identity provider publishes; its tokens are rejected until one is usable."

_log = logging.getLogger(__name__)

Keys = Mapping[str, Key]
"""Keys by `kid`."""


def provider_keys(url: str, clock: Clock) -> LastAnswer[Keys | None]:
    """Return the polled keys of the JWK set at `url`; None before the first successful fetch.

    A set without a usable key is an answer: the provider has withdrawn its keys.

    Raises:
        InvalidSettingsError: the library that verifies signatures of public keys is not installed.
    """
    require_cryptography("AUDIT_LOG_TRUSTED_JWKS_URL")
    return LastAnswer(
        _KeySetReader(url).read,
        None,
        name="keys of the identity provider",
        every=FETCH_SECONDS,
        limit=KEYS_LIMIT_SECONDS,
        clock=clock,
    )


class TrustedKeys:
    """Implements `KeySource`. The algorithm follows from the type of the key, never from a token."""

    def __init__(self, keys: LastAnswer[Keys | None]) -> None:
        self._keys = keys

    def find(self, kid: str | None) -> Key | None:
        """See `KeySource.find`."""
        if kid is None:
            return None
        keys = self._keys.latest()
        if keys is None:
            # Not a 401, because the token may be valid, and a new one would not help.
            raise TokenCheckUnavailableError(
                "The keys of the identity provider have not been fetched yet: try again later."
            )
        return keys.get(kid)


class _KeySetReader:
    """Reads the usable keys of the JWK set at a URL, and logs once if there are none."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._had_keys = True

    def read(self) -> Keys:
        """Fetch the set. Entries that cannot verify tokens are left out (RFC 7517 section 5).

        Raises:
            TokenCheckUnavailableError: the provider is unreachable, or returns no JWK set.
        """
        try:
            entries = _KeySet.model_validate(json.loads(fetch(self._url))).keys
        except (ValueError, OSError, RecursionError) as exc:
            raise TokenCheckUnavailableError("The keys of the identity provider cannot be fetched.") from exc
        keys = {key.kid: key for key in map(_key, entries) if key is not None}
        if not keys and self._had_keys:
            _log.warning("provider_keys_unusable", extra={"published": len(entries), "action": _ACTION})
        self._had_keys = bool(keys)
        return keys


class _KeySet(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    keys: list[Any]


class _PublicJWK(BaseModel):
    """Members of a JWK that decide whether it is used. PyJWT checks the others."""

    kty: Literal["RSA", "EC", "OKP"]
    crv: str | None = None
    kid: str = Field(min_length=1)
    use: Literal["sig"] | None = None
    d: None = None
    """A published private key lets anyone sign. If its factors are missing, PyJWT would search for them."""


def _key(entry: Any) -> Key | None:
    """Return the key of a JWK, or None if it cannot verify tokens; the other keys of the set are used nevertheless."""
    try:
        jwk = _PublicJWK.model_validate(entry)
        algorithm = _ALGORITHM_OF[jwk.kty, jwk.crv]
        key = PyJWK(entry, algorithm).key
    except (ValidationError, KeyError, PyJWTError):
        return None
    if jwk.kty == "RSA" and key.key_size < MIN_RSA_BITS:
        return None
    return Key(jwk.kid, algorithm, verifying=key)
