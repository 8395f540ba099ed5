"""The keys of an outside identity provider, fetched from its JWK set (RFC 7517 section 5)."""

import logging
import threading
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, Final, Literal

from jwt import PyJWK, PyJWKClient, PyJWKClientError, PyJWTError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.keys import MIN_RSA_BITS, Key, require_cryptography

FETCH_SECONDS: Final = 60.0
"""At most one fetch in this time, whatever is asked for and whatever the provider answers."""

REFRESH_SECONDS: Final = 300.0
"""A key that the provider withdraws is forgotten after this time, as long as the provider answers."""

_TIMEOUT_SECONDS: Final = 5.0
_ALGORITHM_OF: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}

_log = logging.getLogger(__name__)


class TrustedKeys:
    """Looks keys up by `kid`. The algorithm follows from the key's type, never from a token."""

    def __init__(self, url: str, clock: Callable[[], float], ssl_context: SSLContext | None = None) -> None:
        """Prepare the client; the keys are fetched at first use.

        Raises:
            InvalidSettingsError: the library that checks signatures by public keys is not installed.
        """
        require_cryptography("AUDIT_LOG_TRUSTED_JWKS_URL")
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS, ssl_context=ssl_context)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._fetched = self._tried = float("-inf")

    def find(self, kid: str | None) -> Key | None:
        """The key of this name, or None."""
        if kid is None:
            return None
        # While one request fetches, those whose key is known go on with it: a slow provider must not hold up all.
        if self._lock.acquire(blocking=kid not in self._keys):
            try:
                self._fetch_if_due(kid, self._clock())
            finally:
                self._lock.release()
        return self._keys.get(kid)

    def _fetch_if_due(self, kid: str, now: float) -> None:
        due = kid not in self._keys or now - self._fetched >= REFRESH_SECONDS
        if due and now - self._tried >= FETCH_SECONDS:
            self._tried = now
            self._fetch(now)

    def _fetch(self, now: float) -> None:
        try:
            found = [_key(entry) for entry in _KeySet.model_validate(self._client.fetch_data()).keys]
        except (PyJWKClientError, ValueError, OSError, RecursionError) as exc:
            # The keys that are known go on counting: an outage there must not become one here.
            _log.warning("the trusted issuer's keys cannot be fetched", extra={"reason": str(exc)})
            return
        keys = {key.kid: key for key in found if key is not None}
        if not keys:
            _log.warning("the trusted issuer has no key that can be used", extra={"keys": len(found)})
            return
        self._keys = keys
        self._fetched = now


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
