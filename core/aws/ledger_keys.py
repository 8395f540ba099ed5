"""Keys that sign the ledger inside AWS KMS, which never hands out a private key."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from core.errors import SecretUnavailableError
from core.ledger.notes import ED25519, Note, Signature, key_id

# Ed25519 over the text itself, as RFC 8032 and C2SP signed-note want it, in place of Ed25519ph:
# https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
_SCHEME: Final = {"SigningAlgorithm": "ED25519_SHA_512", "MessageType": "RAW"}
_DER: Final = bytes.fromhex("302a300506032b6570032100")  # a public key of Ed25519 in DER: this, and 32 bytes (RFC 8410)
_KEY_BYTES: Final = 32
_WRONG_SIGNATURE: Final = "KMSInvalidSignatureException"


class KmsLedgerKeys:
    """Implements `CheckpointKeys`: all of the keys sign. `client` is boto3's for KMS.

    Every method and property raises SecretUnavailableError if KMS is unreachable or refuses; trying again later helps.
    """

    def __init__(self, origin: str, keys: Sequence[str], client: Any) -> None:
        """`keys` are ids or ARNs of keys of the kind ECC_NIST_EDWARDS25519, for signing."""
        self.origin = origin
        self._keys = keys
        self._client = client

    @property
    def public_keys(self) -> dict[bytes, bytes]:
        """Public keys by their key ids."""
        return {ident: public for ident, (_, public) in self._known.items()}

    def sign(self, text: str) -> Note:
        """Sign the text of a checkpoint with each key. Ed25519 gives one text the same signature every time."""
        message = text.encode()
        signatures = (
            Signature(self.origin, ident, self._call("sign", KeyId=key, Message=message, **_SCHEME)["Signature"])
            for ident, (key, _) in self._known.items()
        )
        return Note(text, tuple(signatures))

    def signed(self, note: Note) -> bool:
        """Whether one of the keys signed the note, and no signature in their names is wrong."""
        ours = [
            (self._known[ident][0], signature)
            for name, ident, signature in note.signatures
            if name == self.origin and ident in self._known
        ]
        return bool(ours) and all(self._verifies(key, note.text.encode(), signature) for key, signature in ours)

    @cached_property
    def _known(self) -> dict[bytes, tuple[str, bytes]]:
        """Each key's name in KMS and public key, by its key id in notes."""
        known = {}
        for key in self._keys:
            der: bytes = self._call("get_public_key", KeyId=key)["PublicKey"]
            public = der.removeprefix(_DER)
            if len(public) != _KEY_BYTES:
                raise SecretUnavailableError(f"The key {key} in KMS does not sign by Ed25519: use another one.")
            known[key_id(self.origin, ED25519, public)] = key, public
        return known

    def _verifies(self, key: str, message: bytes, signature: bytes) -> bool:
        # KMS answers to a wrong signature by an error, never by a false SignatureValid.
        return bool(self._call("verify", KeyId=key, Message=message, Signature=signature, **_SCHEME))

    def _call(self, method: str, **arguments: object) -> dict[str, Any]:
        """Return the answer of KMS, which is empty for a wrong signature."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - at first use

        try:
            answer: dict[str, Any] = getattr(self._client, method)(**arguments)
        except (BotoCoreError, ClientError) as exc:
            if isinstance(exc, ClientError) and exc.response["Error"]["Code"] == _WRONG_SIGNATURE:
                return {}
            raise SecretUnavailableError(
                f"A key of the ledger in KMS cannot be used ({type(exc).__name__}): check the role, or try again later."
            ) from exc
        return answer
