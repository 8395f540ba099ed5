"""Cosignatures of a witness (C2SP tlog-cosignature): Ed25519 over a time and a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.domain.byte_order_mark import without_mark
from core.errors import InvalidSettingsError
from core.ledger.keys import load_key
from core.ledger.notes import Signature, key_id, verifier_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COSIGNATURE: Final = 4
"""Signature type of a witness's Ed25519 key."""

_TIME_BYTES: Final = 8


class Cosigner:
    """The key of a witness."""

    def __init__(self, name: str, key: "Ed25519PrivateKey") -> None:
        """`name` is that of the witness, a URL without scheme, such as witness.example.org."""
        self._name = name
        self._key = key
        self._public_key = key.public_key().public_bytes_raw()

    @property
    def verifier_key(self) -> str:
        """Public key as text (vkey)."""
        return verifier_key(self._name, COSIGNATURE, self._public_key)

    def cosign(self, text: str, at: int) -> Signature:
        """Sign that the checkpoint `text` is consistent with all those seen until `at`, in Unix seconds."""
        signature = self._key.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        ident = key_id(self._name, COSIGNATURE, self._public_key)
        return Signature(self._name, ident, at.to_bytes(_TIME_BYTES, "big") + signature)


def read_cosigner(name: str, file: Path) -> Cosigner:
    """Read the key of a witness from a PEM file.

    Raises:
        InvalidSettingsError: the file cannot be read, or is not one Ed25519 private key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - with the extra `keys`
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    try:
        key = load_key(without_mark(file.read_bytes()).strip())
    except OSError as exc:
        raise InvalidSettingsError(
            f"The key of the witness cannot be read ({exc.strerror}): check --key-file."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidSettingsError(
            "The key of the witness must be one Ed25519 private key in PEM form: "
            "`openssl genpkey -algorithm ed25519` makes one."
        )
    return Cosigner(name, key)
