"""Signing keys of this service. The algorithm belongs to the key, and is never read from a token (RFC 8725, 3.1)."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from core.domain.byte_order_mark import without_mark
from core.errors import InvalidSettingsError
from core.settings import Settings

_HMAC: Final = "HS256"
_BEGIN: Final = "-----BEGIN "
MIN_RSA_BITS: Final = 2048
_CREATE_ONE: Final = "create one with `openssl genpkey -algorithm ed25519`"


@dataclass(frozen=True)
class Key:
    """Key with its algorithm. Token headers name it by `kid`. `public_jwk` (RFC 7517) is None for a shared secret."""

    kid: str
    algorithm: str
    verifying: Any = field(repr=False)
    signing: Any = field(default=None, repr=False)
    public_jwk: Mapping[str, str] | None = None

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of this key over `signed`."""
        algorithm, prepared = self._prepared
        if self.algorithm == _HMAC:  # one call of OpenSSL, where PyJWT takes several and an object
            return hmac.compare_digest(signature, hmac.digest(prepared, signed, "sha256"))
        valid: bool = algorithm.verify(signed, prepared, signature)
        return valid

    @cached_property
    def _prepared(self) -> tuple[Any, Any]:
        import jwt  # noqa: PLC0415 - not needed to publish keys

        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return algorithm, algorithm.prepare_key(self.verifying)

    def secret_bytes(self) -> bytes:
        """The secret, or the private key in DER. Only for a key that signs."""
        if isinstance(self.signing, str):
            return self.signing.encode()
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - not needed with a secret
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        der: bytes = self.signing.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return der


@dataclass(frozen=True)
class KeyRing:
    """Keys of this service: the first one signs, all verify."""

    keys: tuple[Key, ...]

    @property
    def signing(self) -> Key:
        """Key that signs new tokens."""
        return self.keys[0]

    @cached_property
    def id_namespace(self) -> uuid.UUID:
        """Secret namespace of the ids that are derived from an Idempotency-Key (decision 0027).

        Derived from the last key that can sign: rotation puts new keys first, so it changes only when the old key is
        removed.
        """
        oldest = [key for key in self.keys if key.signing is not None][-1]
        return uuid.UUID(bytes=hmac.digest(oldest.secret_bytes(), b"id namespace", "sha256")[:16])

    def find(self, kid: str | None) -> Key | None:
        """Return the key with this `kid`, if it exists; for None the signing key."""
        return next((key for key in self.keys if kid is None or key.kid == kid), None)

    def jwks(self) -> dict[str, list[Mapping[str, str]]]:
        """Return the public keys as a JWK set (RFC 7517 section 5), which excludes shared secrets."""
        return {"keys": [key.public_jwk for key in self.keys if key.public_jwk is not None]}


def key_ring(settings: Settings) -> KeyRing:
    """Load the keys from the key file or the secret in the settings.

    Raises:
        InvalidSettingsError: neither is set, or one is unusable; the message never contains key material.
    """
    if settings.jwt_key_file is not None:
        return KeyRing(tuple(_keys_of_file(settings.jwt_key_file)))
    if settings.jwt_secret is not None:
        return KeyRing(tuple(_secret_key(secret) for secret in settings.jwt_secret.get_secret_value().split()))
    raise InvalidSettingsError(
        "AUDIT_LOG_JWT_SECRET is not set: set it to at least 32 random bytes, for example by `openssl rand -base64 48`"
    )


def require_cryptography(setting: str) -> None:
    """Check that the library for public keys, which `setting` needs, is installed: docs/decisions/0016.

    Raises:
        InvalidSettingsError: it is not installed.
    """
    from jwt.algorithms import has_crypto  # noqa: PLC0415 - not needed for a shared secret

    if not has_crypto:
        raise no_cryptography(setting)


def no_cryptography(setting: str) -> InvalidSettingsError:
    """Return the error of a setting that needs the library cryptography where it is not installed."""
    return InvalidSettingsError(
        f"{setting}: the library cryptography is not installed: pip install 'audit-log-service[keys]'"
    )


def _secret_key(secret: str) -> Key:
    # Equal on every host with this secret, and reveals nothing about it.
    kid = hmac.new(secret.encode(), b"kid", hashlib.sha256).hexdigest()[:16]
    return Key(kid, _HMAC, verifying=secret, signing=secret)


def _keys_of_file(path: Path) -> list[Key]:
    require_cryptography("AUDIT_LOG_JWT_KEY_FILE")
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - not needed for a shared secret
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - the same
        load_pem_private_key,
        load_pem_public_key,
    )

    try:
        _, *blocks = without_mark(path.read_bytes()).decode("ascii").split(_BEGIN)
        loaded = [
            load_pem_private_key(f"{_BEGIN}{block}".encode(), None)
            if "PRIVATE" in block.partition("-----")[0]
            else load_pem_public_key(f"{_BEGIN}{block}".encode())
            for block in blocks
        ]
    except OSError as exc:
        raise InvalidSettingsError(f"AUDIT_LOG_JWT_KEY_FILE: {path} cannot be read ({exc.strerror})") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidSettingsError(
            f"AUDIT_LOG_JWT_KEY_FILE: {path} contains a PEM block that is not a key or is encrypted; {_CREATE_ONE}"
        ) from None
    keys = [_asymmetric_key(key, path) for key in loaded]
    if not keys or keys[0].signing is None:
        raise InvalidSettingsError(f"AUDIT_LOG_JWT_KEY_FILE: {path} must begin with a private key; {_CREATE_ONE}")
    return keys


def _asymmetric_key(key: Any, path: Path) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - as above
    from jwt.algorithms import OKPAlgorithm, RSAAlgorithm  # noqa: PLC0415 - as above

    private = key if hasattr(key, "public_key") else None
    public = key.public_key() if private is not None else key
    match public:
        case Ed25519PublicKey():
            algorithm, jwk = "EdDSA", OKPAlgorithm.to_jwk(public, as_dict=True)
        case RSAPublicKey() if public.key_size >= MIN_RSA_BITS:
            algorithm, jwk = "RS256", RSAAlgorithm.to_jwk(public, as_dict=True)
        case _:
            raise InvalidSettingsError(
                f"AUDIT_LOG_JWT_KEY_FILE: {path} contains a key that is neither Ed25519 nor RSA of at least "
                f"{MIN_RSA_BITS} bits; {_CREATE_ONE}"
            )
    members: dict[str, str] = {name: str(jwk[name]) for name in ("crv", "e", "kty", "n", "x") if name in jwk}
    kid = _thumbprint(members)
    return Key(kid, algorithm, public, private, {**members, "use": "sig", "alg": algorithm, "kid": kid})


def _thumbprint(members: Mapping[str, str]) -> str:
    """Return the JWK thumbprint of a public key (RFC 7638), used as its `kid`."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")
