"""RFC 3161 time stamps: an authority signs that a checkpoint existed at a time.

The directory gets three files for a checkpoint of SIZE entries: SIZE.checkpoint, the signed note; SIZE.tsq, the request
and SIZE.tsr, the answer, which `openssl ts -verify` checks with the certificate of the authority.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

from core.errors import AnchorUnavailableError
from core.ports.durable_files import PRIVATE, replace
from core.ports.ledger import SignedCheckpoint
from local_runner.background.http_post import post

QUERY: Final = "application/timestamp-query"

_OK: Final = 200
_GRANTED: Final = frozenset({0, 1})  # PKIStatus granted and grantedWithMods, RFC 3161 section 2.4.2


class TimeStampAnchor:
    """Implements `Anchor` with a time stamp authority. Needs the extra `timestamps`."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory

    def keep(self, checkpoint: SignedCheckpoint) -> None:
        """See `Anchor.keep`. The answer must be about this request; its signature is for `openssl ts -verify`."""
        from rfc3161_client import (  # noqa: PLC0415 - with the extra
            HashAlgorithm,
            TimestampRequestBuilder,
            decode_timestamp_response,
        )

        builder = TimestampRequestBuilder().data(checkpoint.note).hash_algorithm(HashAlgorithm.SHA256)
        request = builder.cert_request(cert_request=True).build()
        answer = post(self._url, request.as_bytes(), QUERY)
        if answer.status != _OK:
            raise AnchorUnavailableError(f"The authority answered with status {answer.status}.")
        try:
            response = decode_timestamp_response(answer.body)
            granted = response.status in _GRANTED
            info = response.tst_info if granted else None
        except (ValueError, RuntimeError):
            raise AnchorUnavailableError("The answer is no time stamp.") from None
        if info is None:
            raise AnchorUnavailableError(f"The authority refused the request with PKIStatus {response.status}.")
        if info.message_imprint.message != sha256(checkpoint.note).digest() or info.nonce != request.nonce:
            raise AnchorUnavailableError("The time stamp is that of another request.")
        files = {"checkpoint": checkpoint.note, "tsq": request.as_bytes(), "tsr": answer.body}
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for suffix, data in files.items():
                replace(self._directory / f"{checkpoint.size}.{suffix}", data, PRIVATE)
        except OSError as exc:
            raise AnchorUnavailableError(f"The time stamp cannot be written ({exc.strerror}).") from exc
