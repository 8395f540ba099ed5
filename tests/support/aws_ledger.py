"""KMS and S3 with as much as signing the ledger uses: keys that sign, and an object that is written on conditions."""

import io
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Kms:
    """Keys of Ed25519 by their ids, which the method of KMS signs with."""

    def __init__(self, **keys: Ed25519PrivateKey) -> None:
        self.keys = keys
        self.is_reachable = True

    def get_public_key(self, KeyId: str) -> dict[str, bytes]:  # noqa: N803 - AWS's name
        """The public key in DER."""
        public = self._key(KeyId).public_key()
        return {"PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}

    def sign(self, KeyId: str, Message: bytes, SigningAlgorithm: str, MessageType: str) -> dict[str, bytes]:  # noqa: N803 - AWS's names
        """A signature by pure Ed25519, which KMS has for raw messages alone."""
        assert (SigningAlgorithm, MessageType) == ("ED25519_SHA_512", "RAW")
        assert len(Message) <= 4096
        return {"Signature": self._key(KeyId).sign(Message)}

    def verify(self, KeyId: str, Message: bytes, Signature: bytes, **_scheme: str) -> dict[str, bool]:  # noqa: N803 - AWS's names
        """An error for a wrong signature."""
        try:
            self._key(KeyId).public_key().verify(Signature, Message)
        except InvalidSignature:
            raise refusal("KMSInvalidSignatureException", "Verify") from None
        return {"SignatureValid": True}

    def _key(self, ident: str) -> Ed25519PrivateKey:
        if not self.is_reachable:
            raise EndpointConnectionError(endpoint_url="https://kms.example.org")
        if ident not in self.keys:
            raise refusal("AccessDeniedException", "Sign")
        return self.keys[ident]


class S3:
    """A bucket with one object and its versions."""

    def __init__(self) -> None:
        self.versions: list[bytes] = []
        self.refuses: str | None = None

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002 - AWS's names
        """The newest version."""
        if self.refuses:
            raise refusal(self.refuses, "GetObject")
        if not self.versions:
            raise refusal("NoSuchKey", "GetObject")
        return {"Body": io.BytesIO(self.versions[-1]), "ETag": self._tag()}

    def put_object(self, *, Body: bytes, IfMatch: str | None = None, IfNoneMatch: str | None = None, **_: str) -> None:  # noqa: N803 - AWS's names
        """One more version, if the newest one is that of the condition."""
        if (IfNoneMatch == "*" and self.versions) or (IfMatch and (not self.versions or IfMatch != self._tag())):
            raise refusal("PreconditionFailed", "PutObject")
        assert IfMatch or IfNoneMatch
        self.versions.append(Body)

    def _tag(self) -> str:
        return f'"{sha256(self.versions[-1]).hexdigest()}"'


def refusal(code: str, operation: str) -> ClientError:
    """The error of boto3 for an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": ""}}, operation)
