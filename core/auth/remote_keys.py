"""The keys of an outside identity provider, fetched from its JWK set (RFC 7517 section 5)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWTError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.auth.keys import MIN_RSA_BITS, Key, require_cryptography
from core.auth.last_answer import Clock, LastAnswer
from core.errors import TokenCheckUnavailableError

FETCH_SECONDS: Final = 60.0
"""From one fetch to the next, whatever tokens name and whatever the provider answers: so soon a new key counts, and one
that is withdrawn no longer does."""

KEYS_LIMIT_SECONDS: Final = 24 * 3600.0
"""How long the keys count that were fetched last, while the provider gives no others."""

_TIMEOUT_SECONDS: Final = 5.0  # to connect, and for each piece of the answer
_ALGORITHM_OF: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}

Keys = Mapping[str, Key]
"""By `kid`."""


def provider_keys(url: str, clock: Clock) -> LastAnswer[Keys | None]:
    """The keys of the JWK set at `url`, as they were fetched last; None before the first fetch that succeeds.

    Raises:
        InvalidSettingsError: the library that checks signatures by public keys is not installed.
    """
    require_cryptography("AUDIT_LOG_TRUSTED_JWKS_URL")
    client = PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
    return LastAnswer(
        lambda: _fetched(client),
        None,
        name="keys of the identity provider",
        every=FETCH_SECONDS,
        limit=KEYS_LIMIT_SECONDS,
        clock=clock,
    )


class TrustedKeys:
    """Looks keys up by `kid`. The algorithm follows from the key's type, never from a token."""

    def __init__(self, keys: LastAnswer[Keys | None]) -> None:
        self._keys = keys

    def find(self, kid: str | None) -> Key | None:
        """See `KeySource.find`."""
        if kid is None:
            return None
        keys = self._keys.latest()
        if keys is None:
            # Not a 401: the token may be good, and its bearer can do nothing but send it again.
            raise TokenCheckUnavailableError(
                "The keys of the identity provider could not be fetched yet: try again later."
            )
        return keys.get(kid)


def _fetched(client: PyJWKClient) -> Keys:
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


class _Entry(BaseModel):
    """What a JWK says of its use; all else in it is for the library."""

    kty: Literal["RSA", "EC", "OKP"]
    crv: str | None = None
    kid: str = Field(min_length=1)
    use: Literal["sig"] | None = None
    d: None = None
    """A private key signs for everyone who reads it. PyJWT would search for the factors of one that leaves them out."""


def _key(entry: Any) -> Key | None:
    """The key of an entry, or None for one that cannot verify tokens: the others of the set count all the same."""
    try:
        told = _Entry.model_validate(entry)
        algorithm = _ALGORITHM_OF[told.kty, told.crv]
        key = PyJWK(entry, algorithm).key
    except (ValidationError, KeyError, PyJWTError):
        return None
    if told.kty == "RSA" and key.key_size < MIN_RSA_BITS:
        return None
    return Key(told.kid, algorithm, verifying=key)
