"""Public keys of an identity provider, fetched from its JWK set (RFC 7517 section 5)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWTError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.auth.keys import MIN_RSA_BITS, Key, require_cryptography
from core.auth.last_answer import LastAnswer
from core.domain.clock import Clock
from core.errors import TokenCheckUnavailableError

FETCH_SECONDS: Final = 60.0
"""Interval between two fetches, whatever keys tokens name. A new key works after one interval at the latest."""

KEYS_LIMIT_SECONDS: Final = 24 * 3600.0
"""How long the last fetched keys are used while the provider returns none."""

_TIMEOUT_SECONDS: Final = 5.0  # to connect, and for each read
_ALGORITHM_OF: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}

Keys = Mapping[str, Key]
"""Keys by `kid`."""


def provider_keys(url: str, clock: Clock) -> LastAnswer[Keys | None]:
    """Return the polled keys of the JWK set at `url`; None before the first successful fetch.

    Raises:
        InvalidSettingsError: the library that verifies signatures of public keys is not installed.
    """
    require_cryptography("AUDIT_LOG_TRUSTED_JWKS_URL")
    client = PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
    return LastAnswer(
        lambda: _fetch(client),
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


def _fetch(client: PyJWKClient) -> Keys:
    try:
        found = [_key(entry) for entry in _KeySet.model_validate(client.fetch_data()).keys]
    except (PyJWKClientError, ValueError, OSError, RecursionError) as exc:
        raise TokenCheckUnavailableError("The keys of the identity provider cannot be fetched.") from exc
    keys = {key.kid: key for key in found if key is not None}
    if not keys:
        raise TokenCheckUnavailableError(f"None of the {len(found)} keys of the identity provider can be used.")
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
