"""Keys that sign a ledger's checkpoints. Never those of the tokens: a key signs one kind of text.

The file is PEM. Each Ed25519 private key signs; public keys are former ones, whose signatures still count.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from core.errors import InvalidSettingsError
from core.ledger.notes import ED25519, Note, Signature, key_id, verifier_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_BEGIN: Final = b"-----BEGIN "


class LedgerKeys:
    """Implements `CheckpointKeys` with private keys in this process."""

    def __init__(
        self, origin: str, signing: Iterable["Ed25519PrivateKey"], former: Iterable["Ed25519PublicKey"] = ()
    ) -> None:
        """`origin` is the name of all keys."""
        self.origin = origin
        self._signing = {key_id(origin, ED25519, key.public_key().public_bytes_raw()): key for key in signing}
        self._known = {ident: key.public_key() for ident, key in self._signing.items()}
        self._known |= {key_id(origin, ED25519, key.public_bytes_raw()): key for key in former}

    @property
    def verifier_keys(self) -> list[str]:
        """Public keys as text (vkeys), those that sign first."""
        return [verifier_key(self.origin, ED25519, key) for key in self.public_keys.values()]

    @property
    def public_keys(self) -> dict[bytes, bytes]:
        """Public keys by their key ids."""
        return {ident: key.public_bytes_raw() for ident, key in self._known.items()}

    def sign(self, text: str) -> Note:
        """Sign the text of a checkpoint with each private key. Ed25519 gives one text the same signature every time."""
        signatures = (Signature(self.origin, ident, key.sign(text.encode())) for ident, key in self._signing.items())
        return Note(text, tuple(signatures))

    def signed(self, note: Note) -> bool:
        """Whether one of the keys signed the note, and no signature in their names is wrong."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - with the extra `keys`

        verified = False
        for name, ident, signature in note.signatures:
            if name == self.origin and ident in self._known:
                try:
                    self._known[ident].verify(signature, note.text.encode())
                except InvalidSignature:
                    return False
                verified = True
        return verified


def read_keys(origin: str, file: Path) -> LedgerKeys:
    """Read the keys of a ledger from a PEM file.

    Raises:
        InvalidSettingsError: the file cannot be read, or has no Ed25519 private key or a key of another kind, or the
            extra `keys` is not installed.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - with the extra `keys`
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    except ImportError:
        raise InvalidSettingsError(
            "Signing the ledger needs the library cryptography: install the extra `keys`, or set AUDIT_LOG_LEDGER=off."
        ) from None
    signing: list[Ed25519PrivateKey] = []
    former: list[Ed25519PublicKey] = []
    try:
        _, *blocks = file.read_bytes().split(_BEGIN)
        for block in blocks:
            key = load_key(_BEGIN + block)
            if isinstance(key, Ed25519PrivateKey):
                signing.append(key)
            else:
                former.append(key)
    except OSError as exc:
        raise InvalidSettingsError(
            f"The file of AUDIT_LOG_LEDGER_KEY_FILE cannot be read ({exc.strerror}): check its path and permissions."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable() from None
    if not signing:
        raise _unusable()
    return LedgerKeys(origin, signing, former)


def public_keys(origin: str, raw: Iterable[bytes]) -> LedgerKeys | None:
    """Return keys that only verify, from 32 bytes each; None if the extra `keys` is not installed.

    Raises:
        ValueError: not 32 bytes.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above
    except ImportError:
        return None
    return LedgerKeys(origin, (), map(Ed25519PublicKey.from_public_bytes, raw))


def generate_key() -> str:
    """Return a new Ed25519 private key in PEM form."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - with the extra `keys`
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Ed25519PrivateKey.generate().private_bytes(*form).decode()


def load_key(block: bytes) -> "Ed25519PrivateKey | Ed25519PublicKey":
    """Decode one key in PEM form.

    Raises:
        ValueError, UnsupportedAlgorithm: it is not an Ed25519 key.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - with the extra `keys`
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    is_private = block.startswith(b"-----BEGIN PRIVATE")
    key = serialization.load_pem_private_key(block, None) if is_private else serialization.load_pem_public_key(block)
    if not isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        raise ValueError("not Ed25519")  # noqa: TRY004 - as for a key that cannot be decoded
    return key


def _unusable() -> InvalidSettingsError:
    return InvalidSettingsError(
        "AUDIT_LOG_LEDGER_KEY_FILE must have Ed25519 keys in PEM form, at least one of them private: "
        "`openssl genpkey -algorithm ed25519` makes one."
    )
