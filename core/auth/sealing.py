"""Secrets of streams at rest: encrypted and authenticated by Fernet (AES-128-CBC and HMAC-SHA256).

The keys are outside of the database, so that a copy of it opens none of the secrets. The name of the stream is part of
the encrypted text: a row with the secrets of another stream is refused.
https://github.com/fernet/spec/blob/master/Spec.md
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from core.auth.keys import no_cryptography
from core.errors import SecretUnavailableError


class SecretSeal:
    """Encrypts the secrets of streams with the first of its keys, and decrypts what any of them encrypted."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Create it from one key or several, texts of at least 32 random bytes.

        Raises:
            InvalidSettingsError: the library cryptography is not installed.
        """
        try:
            from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - not needed without streams
        except ImportError:
            raise no_cryptography("AUDIT_LOG_SECRETS_KEY") from None
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])

    def seal(self, stream_id: str, secrets: Mapping[str, Any]) -> str:
        """Encrypt secrets, which must be JSON, for one stream. Returns ASCII text, a new one at each call."""
        plain = json.dumps({"stream": stream_id, "secrets": secrets})
        return self._fernet.encrypt(plain.encode()).decode()

    def open(self, stream_id: str, sealed: str) -> dict[str, Any]:
        """Decrypt the secrets of a stream.

        Raises:
            SecretUnavailableError: no key decrypts the text, or it belongs to another stream.
        """
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as above

        try:
            opened = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise _unavailable() from None
        if opened["stream"] != stream_id:
            raise _unavailable()
        secrets: dict[str, Any] = opened["secrets"]
        return secrets

    def reseal(self, stream_id: str, sealed: str) -> str:
        """Encrypt secrets again, with the first key. Raises the error of `open`."""
        return self.seal(stream_id, self.open(stream_id, sealed))


def secret_seal(key: SecretStr | None) -> SecretSeal | None:
    """Return the seal with the keys of the setting `secrets_key`; None if it is not set.

    Raises:
        InvalidSettingsError: the library cryptography is not installed.
    """
    return SecretSeal(key.get_secret_value().split()) if key else None


def _fernet_key(key: str) -> bytes:
    """Derive the 32 bytes that Fernet needs, so that a key can be any text that is long and random enough."""
    return base64.urlsafe_b64encode(hmac.digest(key.encode(), b"audit-log secrets of streams", "sha256"))


def _unavailable() -> SecretUnavailableError:
    return SecretUnavailableError(
        "The secrets of this stream cannot be decrypted: add the key that encrypted them to AUDIT_LOG_SECRETS_KEY, or "
        "enter them again."
    )
